"""Figures of quality, one idea per file; `registry` builds them by name."""
