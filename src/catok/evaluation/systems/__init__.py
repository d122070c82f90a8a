"""Codecs behind one small interface; `registry` builds them by name."""
