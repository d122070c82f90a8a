"""Discriminators, one idea per file."""
