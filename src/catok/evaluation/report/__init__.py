"""A run as one web page: tables, rate-quality curves, spectrograms and players."""
