"""A run: recordings through systems and metrics in parallel, rows that survive an interruption."""
