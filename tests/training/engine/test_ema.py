import pytest
import torch
from torch import nn

from catok.training.engine.ema import ExponentialMovingAverage


def module(value):
    made = nn.Linear(2, 1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.fill_(value)
    return made


def fill(made, value):
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.fill_(value)


def test_formula():
    made = module(1.0)
    average = ExponentialMovingAverage(made, decay=0.25)
    expected = 1.0
    for step, value in enumerate((3.0, -2.0, 5.0, 0.5), start=1):
        fill(made, value)
        average.update(made)
        decay = min(0.25, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
        assert float(average.average["weight"][0, 0]) == pytest.approx(expected, rel=1e-6)
    assert (1 + 1) / (10 + 1) < 0.25 < (1 + 4) / (10 + 4)  # both sides of the minimum were seen


def test_applied_and_given_back_even_after_an_error():
    made = module(1.0)
    average = ExponentialMovingAverage(made, decay=0.5)
    fill(made, 3.0)
    with average.applied(made):
        assert made.weight.eq(1).all() and made.bias.eq(1).all()
    assert made.weight.eq(3).all() and made.bias.eq(3).all()
    with pytest.raises(RuntimeError), average.applied(made):
        raise RuntimeError
    assert made.weight.eq(3).all()
    assert average.average["weight"].eq(1).all()


def test_state_round_trip():
    made = module(1.0)
    average = ExponentialMovingAverage(made, decay=0.9)
    for value in (2.0, 7.0):
        fill(made, value)
        average.update(made)
    other = ExponentialMovingAverage(module(0.0), decay=0.9)
    other.load_state_dict(average.state_dict())
    fill(made, 11.0)
    average.update(made)
    other.update(made)
    assert torch.equal(other.average["weight"], average.average["weight"])
    assert other.updates == 3


def test_what_does_not_move_is_averaged_to_the_bit():
    made = nn.Linear(7, 5)
    before = made.weight.detach().clone()
    average = ExponentialMovingAverage(made, decay=0.999)
    for _ in range(50):
        average.update(made)
    assert torch.equal(average.average["weight"], before)
