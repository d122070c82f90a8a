"""How weights move: optimizers, learning rates, running averages."""
