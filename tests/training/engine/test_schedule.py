from dataclasses import replace
from itertools import pairwise

import pytest

from catok.training.codec.config import OptimizerConfig, TrainStage
from catok.training.engine.schedule import learning_rate

CONFIG = OptimizerConfig(learning_rate=1.0, warmup_steps=10, final_rate=0.1)


def test_warm_up_then_cosine():
    rates = [learning_rate(step, TrainStage(110), CONFIG) for step in range(111)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == rates[10] == pytest.approx(1.0)
    assert rates[60] == pytest.approx(0.55) and rates[110] == pytest.approx(0.1)
    assert all(a <= b for a, b in pairwise(rates[:10]))
    assert all(a >= b for a, b in pairwise(rates[10:]))


def test_the_peak_is_held_for_its_share():
    held = replace(CONFIG, hold=0.5)
    rates = [learning_rate(step, TrainStage(110), held) for step in range(111)]
    assert rates[10:61] == [1.0] * 51
    assert rates[85] == pytest.approx(0.55) and rates[110] == pytest.approx(0.1)
    with pytest.raises(ValueError, match="hold"):
        OptimizerConfig(hold=1.0)


def test_a_stage_has_a_peak_of_its_own():
    stage = TrainStage(110, learning_rate=0.5)
    assert learning_rate(9, stage, CONFIG) == pytest.approx(0.5)
    assert learning_rate(110, stage, CONFIG) == pytest.approx(0.05)


def test_stages_no_longer_than_their_warm_up_and_none_at_all():
    assert learning_rate(9, TrainStage(10), CONFIG) == pytest.approx(1.0)
    none = OptimizerConfig(learning_rate=1.0, warmup_steps=0)
    assert learning_rate(0, TrainStage(1), none) == pytest.approx(1.0)
