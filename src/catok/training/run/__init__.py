"""A run around its steps: state on disk, logs, measurements, signals, bad batches."""
