import json

import pytest

from catok.training.codec.semantic.semantic_config import SemanticConfig
from catok.training.codec.train_config import CodecTrainConfig, OptimizerConfig, TrainStage

from ..conftest import EVERYTHING

STAGES = (TrainStage(3), TrainStage(4), TrainStage(5))


def test_the_stage_of_a_step():
    config = CodecTrainConfig(stages=STAGES)
    places = [config.stage_at(step) for step in range(config.steps)]
    assert config.steps == 12
    assert places == [(0, n) for n in range(3)] + [(1, n) for n in range(4)] + [
        (2, n) for n in range(5)
    ]
    assert config.stage_at(12) == (2, 5) and config.stage_at(14) == (2, 7)


def test_round_trip_through_json():
    assert CodecTrainConfig.from_dict(json.loads(json.dumps(EVERYTHING.to_dict()))) == EVERYTHING


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"stages": ()}, "at least one"),
        ({"ema": -0.1}, "decay from"),
        ({"ema": 1.0}, "decay from"),
        ({"accumulate": 0}, "accumulate must be at least 1"),
        ({"max_bad_steps": 0}, "max_bad_steps"),
        ({"log_every": 0}, "log_every"),
        ({"validate_every": 0}, "validate_every"),
    ],
)
def test_runs_that_cannot_be(changes, message):
    with pytest.raises(ValueError, match=message):
        CodecTrainConfig(**({"stages": STAGES} | changes))


def test_something_must_learn():
    codec = ("encoder", "quantizer", "decoder")
    with pytest.raises(ValueError, match="nothing would learn"):
        CodecTrainConfig(stages=(TrainStage(1, freeze=codec),))
    head = SemanticConfig.preset("mini")
    CodecTrainConfig(stages=(TrainStage(1, freeze=codec),), semantic=head)
    with pytest.raises(ValueError, match="nothing would learn"):
        CodecTrainConfig(stages=(TrainStage(1, freeze=(*codec, "semantic")),), semantic=head)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: TrainStage(0), "at least 1 step"),
        (lambda: TrainStage(1, freeze=("discriminators",)), "cannot freeze"),
        (
            lambda: CodecTrainConfig((TrainStage(1),), weights={"mel": -1.0}),
            "weights.mel must not be negative",
        ),
        (lambda: OptimizerConfig(learning_rate=0.0), "must be positive"),
        (lambda: OptimizerConfig(max_grad_norm=0.0), "must be positive"),
        (lambda: OptimizerConfig(warmup_steps=-1), "must not be negative"),
    ],
)
def test_parts_that_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()
