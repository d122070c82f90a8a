"""Training a tokenizer: data, networks, losses; a client of the engine."""
