"""How well a tokenizer does: objective metrics of speech and audio."""
