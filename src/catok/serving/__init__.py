"""One server for speech and tokens: many requests at a time, from one set of models."""
