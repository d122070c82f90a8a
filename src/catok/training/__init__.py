"""Training a tokenizer from scratch: losses, data, schedules, the loop."""
