import pytest
import torch

from catok.training.codec.codebooks.quantizer_dropout import DropoutConfig, draw_prefixes


def drawn(config, count=4000, seed=0):
    return draw_prefixes(config, count, 8, torch.Generator().manual_seed(seed))


def test_prefixes_are_uniform_from_one_to_all():
    shares = drawn(DropoutConfig()).bincount(minlength=9) / 4000
    assert shares[0] == 0 and shares[1:].tolist() == pytest.approx([1 / 8] * 8, abs=0.02)


def test_a_share_of_rows_keeps_everything():
    assert drawn(DropoutConfig(probability=0.0)).eq(8).all()
    shares = drawn(DropoutConfig(probability=0.5)).bincount(minlength=9) / 4000
    assert float(shares[8]) == pytest.approx(0.5 + 0.5 / 8, abs=0.03)
    assert float(shares[1]) == pytest.approx(0.5 / 8, abs=0.02)


def test_lengths_of_ones_own():
    shares = drawn(DropoutConfig(lengths=(2, 4))).bincount(minlength=9) / 4000
    assert shares[[2, 4]].tolist() == pytest.approx([0.5, 0.5], abs=0.03)
    shares = drawn(DropoutConfig(lengths=(1, 8), shares=(3.0, 1.0))).bincount(minlength=9) / 4000
    assert shares[[1, 8]].tolist() == pytest.approx([0.75, 0.25], abs=0.03)


def test_the_generator_decides():
    assert torch.equal(drawn(DropoutConfig()), drawn(DropoutConfig()))
    assert not torch.equal(drawn(DropoutConfig()), drawn(DropoutConfig(), seed=1))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"probability": 1.5}, "share from 0 to 1"),
        ({"lengths": (0, 4)}, "at least 1"),
        ({"lengths": (2, 4), "shares": (1.0,)}, "one share per length"),
        ({"shares": (1.0,)}, "one share per length"),
        ({"lengths": (2, 4), "shares": (1.0, -1.0)}, "not be negative"),
        ({"lengths": (2, 4), "shares": (0.0, 0.0)}, "not be negative|positive"),
    ],
)
def test_laws_that_cannot_be(settings, message):
    with pytest.raises(ValueError, match=message):
        DropoutConfig(**settings)


def test_lengths_beyond_the_model():
    with pytest.raises(ValueError, match="go to 9, the model has 8"):
        drawn(DropoutConfig(lengths=(9,)))
