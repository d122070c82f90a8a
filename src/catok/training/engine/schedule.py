"""Learning rate over the steps of a stage."""

import math

from catok.training.engine.run_config import OptimizerConfig


def scheduled_learning_rate(
    step: int, steps: int, config: OptimizerConfig, peak: float | None = None
) -> float:
    """The learning rate at `step`, from 0, of `steps`; `peak` replaces the configuration's own."""
    return (config.learning_rate if peak is None else peak) * warmup_cosine(
        step, steps, config.warmup_steps, config.min_lr_ratio, config.hold
    )


def warmup_cosine(step: int, steps: int, warmup: int, final: float, hold: float = 0.0) -> float:
    """Linear from 0 to 1 over `warmup` steps, 1 for the share `hold` of the rest, then a half
    cosine down to `final` after `steps`.
    """
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    falling = max(0.0, done - hold) / (1 - hold)
    share = 0.5 * (1 + math.cos(math.pi * min(1.0, falling)))
    return final + (1 - final) * share
