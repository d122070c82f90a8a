"""Files: atomic writes, strict configurations, the `.cat` file."""
