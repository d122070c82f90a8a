import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from catok.modules.patch import Patch, PatchConfig, Unpatch, patch, unpatch

sizes = st.integers(1, 6)


@given(sizes, sizes, sizes, sizes)
def test_unpatch_inverts_patch(batch, channels, frames, size):
    x = torch.arange(batch * channels * frames * size).float().view(batch, channels, -1)
    assert torch.equal(unpatch(patch(x, size), size), x)


def test_new_channel_is_old_channel_times_size_plus_place():
    x = torch.tensor([[[0, 1, 2, 3], [10, 11, 12, 13]]]).float()
    assert patch(x, 2).tolist() == [[[0, 2], [1, 3], [10, 12], [11, 13]]]


def test_layers_are_the_functions():
    x = torch.randn(2, 3, 12)
    assert torch.equal(Patch(PatchConfig(4))(x), patch(x, 4))
    assert torch.equal(Unpatch(PatchConfig(3))(x), unpatch(x, 3))


def test_lengths_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="zero-pad"):
        patch(torch.zeros(1, 1, 5), 2)
    with pytest.raises(ValueError, match="do not unfold"):
        unpatch(torch.zeros(1, 5, 1), 2)
    with pytest.raises(ValueError, match="at least 1"):
        PatchConfig(0)
