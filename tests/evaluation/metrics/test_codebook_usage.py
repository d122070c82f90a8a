"""Use of codes in closed forms."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from catok.evaluation.metrics.codebook_usage import codebook_usage


def test_even_use_single_use_and_a_quarter():
    counts = torch.zeros(3, 64)
    counts[0], counts[1, 5], counts[2, 0], counts[2, 1] = 2, 128, 96, 32
    use = codebook_usage(counts, frame_rate=12.5)
    quarter = 2 - 0.75 * math.log2(3)
    assert use.codes == (128, 128, 128)
    assert use.in_use == (64, 1, 2)
    assert use.usage == pytest.approx((1, 1 / 64, 2 / 64))
    assert use.entropy == pytest.approx((6, 0, quarter), abs=1e-6)
    assert use.perplexity == pytest.approx((64, 1, 2**quarter), rel=1e-6)
    assert use.bits_per_second == pytest.approx((6 + quarter) * 12.5, rel=1e-6)
    assert use.nominal_bits_per_second == 3 * 6 * 12.5


@given(st.integers(0, 1000), st.integers(1, 4))
def test_entropy_coding_never_costs_more(seed, books):
    draw = torch.Generator().manual_seed(seed)
    counts = torch.randint(0, 4, (books, 16), generator=draw)
    counts[:, 0] += 1
    use = codebook_usage(counts, 12.5)
    assert 0 <= use.bits_per_second <= use.nominal_bits_per_second + 1e-9
    for perplexity, in_use in zip(use.perplexity, use.in_use, strict=True):
        assert 1 - 1e-9 <= perplexity <= in_use + 1e-9


@pytest.mark.parametrize(
    "counts", [torch.zeros(2, 8), torch.ones(8), torch.tensor([[-1.0, 2.0]]), torch.ones(0, 8)]
)
def test_other_counts_are_refused(counts):
    with pytest.raises(ValueError, match=r"counts \[K, N\]|used"):
        codebook_usage(counts, 12.5)
