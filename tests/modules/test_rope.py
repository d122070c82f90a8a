import math

import pytest
import torch

from catok.modules.rope import rotate, rotations


def test_a_pair_turns_by_frequency_times_position():
    rotation = rotations(torch.tensor([3]), head_dim=4, max_period=10_000.0)
    x = torch.tensor([[1.0, 0.0, 0.0, 1.0]])
    angle = 3 * 10_000 ** (-2 / 4)
    expected = [[math.cos(3), math.sin(3), -math.sin(angle), math.cos(angle)]]
    assert torch.allclose(rotate(x, rotation), torch.tensor(expected), atol=1e-6)


def test_scores_depend_on_distance_only():
    q, k = torch.randn(1, 8), torch.randn(1, 8)

    def score(i, j):
        turned = [rotate(x, rotations(torch.tensor([p]), 8, 1e4)) for x, p in ((q, i), (k, j))]
        return float((turned[0] * turned[1]).sum())

    assert math.isclose(score(5, 2), score(105, 102), abs_tol=1e-4)
    assert not math.isclose(score(5, 2), score(5, 3), abs_tol=1e-3)


@pytest.mark.parametrize("hours", [1, 72, 24 * 365])
def test_angles_are_exact_at_any_hour(hours):
    """The same turn from position to position as at the beginning, 100 positions a second."""
    start, near = hours * 360_000, torch.arange(1000)
    turned = rotations(near + start, 64, 1e4) * rotations(torch.tensor([start]), 64, 1e4).conj()
    assert torch.allclose(turned, rotations(near, 64, 1e4), atol=1e-6)


def test_frequencies_are_right_to_float32():
    near = torch.arange(8000)
    rotation = rotations(near, 64, 1e4)
    angles = near.double()[:, None] * 1e4 ** (-2 * torch.arange(32, dtype=torch.float64) / 64)
    assert torch.allclose(rotation.real.double(), angles.cos(), atol=2e-3)
    assert torch.allclose(rotation.imag.double(), angles.sin(), atol=2e-3)


def test_angles_are_float32_and_the_dtype_is_kept():
    rotation = rotations(torch.arange(3), 4, 1e4)
    assert rotation.dtype == torch.complex64
    assert rotate(torch.randn(3, 4).bfloat16(), rotation).dtype == torch.bfloat16
