"""Learning rate over the steps of a stage."""

import math

from catok.training.config import OptimizerConfig, TrainStage


def learning_rate(step: int, stage: TrainStage, config: OptimizerConfig) -> float:
    """Linear warm-up from 0, then a half cosine down to `final_rate` of the peak at the stage's
    end. `step` counts from 0 within the stage.
    """
    peak = config.learning_rate if stage.learning_rate is None else stage.learning_rate
    if step < config.warmup_steps:
        return peak * (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, stage.steps - config.warmup_steps)
    share = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return peak * (config.final_rate + (1 - config.final_rate) * share)
