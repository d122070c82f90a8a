"""The page at `/`: plain HTML, style and modules, all of it from this folder."""
