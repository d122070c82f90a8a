"""Learning rate over the steps of a stage."""

import math

from catok.training.codec.config import OptimizerConfig, TrainStage


def learning_rate(step: int, stage: TrainStage, config: OptimizerConfig) -> float:
    """The rate at a step of a stage, which counts from 0 within it; see `warmup_cosine`."""
    peak = config.learning_rate if stage.learning_rate is None else stage.learning_rate
    return peak * warmup_cosine(
        step, stage.steps, config.warmup_steps, config.final_rate, config.hold
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
