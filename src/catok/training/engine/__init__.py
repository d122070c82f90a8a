"""What every training run has: one loop, one step, optimizers, state on disk, logs, processes."""
