"""Training a token language model: corpora of codes and texts; a client of the engine."""
