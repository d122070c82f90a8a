"""The tokenizer itself: configuration, model, streaming sessions and checkpoints."""
