import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from catok.modules.codebook_usage import count_codes, perplexity


def test_codes_are_counted_where_frames_exist():
    codes = torch.tensor([[[0, 1, 1], [2, 2, 2]], [[3, 3, 0], [1, 0, 1]]])
    mask = torch.tensor([[True, True, True], [True, False, False]])
    used = count_codes(codes, mask, 5)
    assert used.tolist() == [[1, 2, 0, 1, 0], [0, 1, 3, 0, 0]]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12), st.integers(1, 9))
def test_perplexity_lies_between_one_and_the_codes_in_use(uses, scale):
    counts = torch.tensor([uses]).float()
    counts[0, 0] += 1  # something is in use
    found = float(perplexity(counts))
    assert 1 - 1e-4 <= found <= float((counts > 0).sum()) + 1e-4
    assert float(perplexity(counts * scale)) == pytest.approx(found, rel=1e-4)


def test_perplexity_of_two_codes():
    halves, quarter = perplexity(torch.tensor([[5.0, 5, 0], [3.0, 1, 0]])).tolist()
    assert halves == pytest.approx(2)
    assert quarter == pytest.approx(4 / 3**0.75)  # 2 ** (2 - 3/4 * log2(3))
