from dataclasses import replace
from itertools import pairwise

import pytest

from catok.training.engine.optim import scheduled_learning_rate
from catok.training.engine.run_config import OptimizerConfig

CONFIG = OptimizerConfig(learning_rate=1.0, warmup_steps=10, min_lr_ratio=0.1)


def test_warm_up_then_cosine():
    rates = [scheduled_learning_rate(step, 110, CONFIG) for step in range(111)]
    assert rates[0] == pytest.approx(0.1) and rates[9] == rates[10] == pytest.approx(1.0)
    assert rates[60] == pytest.approx(0.55) and rates[110] == pytest.approx(0.1)
    assert all(a <= b for a, b in pairwise(rates[:10]))
    assert all(a >= b for a, b in pairwise(rates[10:]))


def test_the_peak_is_held_for_its_share():
    held = replace(CONFIG, hold=0.5)
    rates = [scheduled_learning_rate(step, 110, held) for step in range(111)]
    assert rates[10:61] == [1.0] * 51
    assert rates[85] == pytest.approx(0.55) and rates[110] == pytest.approx(0.1)
    with pytest.raises(ValueError, match="hold"):
        OptimizerConfig(hold=1.0)


def test_a_stage_may_have_another_peak():
    assert scheduled_learning_rate(9, 110, CONFIG, 0.5) == pytest.approx(0.5)
    assert scheduled_learning_rate(110, 110, CONFIG, 0.5) == pytest.approx(0.05)


def test_stages_no_longer_than_their_warm_up_and_none_at_all():
    assert scheduled_learning_rate(9, 10, CONFIG) == pytest.approx(1.0)
    none = OptimizerConfig(learning_rate=1.0, warmup_steps=0)
    assert scheduled_learning_rate(0, 1, none) == pytest.approx(1.0)
