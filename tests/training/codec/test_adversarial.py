import pytest
import torch

from catok.training.codec.losses.adversarial import discriminator_loss, generator_loss
from catok.training.codec.losses.feature_matching import feature_matching_loss


def scores(*values):
    """One discriminator per list of scores, with a feature map that no GAN loss may look at."""
    return [[torch.full((7,), 99.0), torch.tensor(value)] for value in values]


def maps(seed, scale=1.0):
    """Two discriminators with two and one feature maps, and scores."""
    draw = torch.Generator().manual_seed(seed)
    shapes = [[(2, 4, 5), (2, 8, 3), (2, 1, 3)], [(2, 6), (2, 1)]]
    return [[scale * torch.randn(s, generator=draw) for s in shape] for shape in shapes]


def test_discriminator_loss_by_hand():
    real, fake = scores([1.0, 0.0], [0.5]), scores([0.0, 2.0], [0.25])
    # first: (0 + 1)/2 + (0 + 4)/2 = 2.5; second: 0.25 + 0.0625
    assert float(discriminator_loss(real, fake)) == pytest.approx((2.5 + 0.3125) / 2)
    assert float(discriminator_loss(scores([1.0, 1.0]), scores([0.0]))) == 0


def test_generator_loss_by_hand():
    # first: (1 + 1)/2 = 1; second: 0.75^2; the finer score weighs no more than the coarser
    assert float(generator_loss(scores([0.0, 2.0], [0.25]))) == pytest.approx((1 + 0.5625) / 2)
    assert float(generator_loss(scores([1.0], [1.0, 1.0]))) == 0


def test_feature_matching_by_hand():
    real = [[torch.tensor([2.0, -2.0]), torch.tensor([4.0, 0.0]), torch.tensor([5.0])]]
    fake = [[torch.tensor([1.0, -2.0]), torch.tensor([4.0, 3.0]), torch.tensor([-5.0])]]
    real.append([torch.tensor([10.0]), torch.tensor([0.0])])
    fake.append([torch.tensor([9.0]), torch.tensor([8.0])])
    # maps: 0.5/2 and 1.5/2, mean 0.5; then 1/10; scores do not count
    assert float(feature_matching_loss(real, fake)) == pytest.approx((0.5 + 0.1) / 2)


def test_feature_matching_is_zero_for_equals_and_blind_to_scale():
    assert float(feature_matching_loss(maps(0), maps(0))) == 0
    plain = float(feature_matching_loss(maps(0), maps(1)))
    assert plain > 0.5
    assert float(feature_matching_loss(maps(0, 50), maps(1, 50))) == pytest.approx(plain)


def test_feature_matching_teaches_the_fake_only():
    real = [[x.requires_grad_() for x in row] for row in maps(0)]
    fake = [[x.requires_grad_() for x in row] for row in maps(1)]
    feature_matching_loss(real, fake).backward()
    assert all(x.grad is None for row in real for x in row)
    assert all(x.grad is not None for row in fake for x in row[:-1])


def test_feature_matching_stays_finite_where_the_real_map_is_zero():
    real, fake = [[torch.zeros(3), torch.zeros(1)]], [[torch.zeros(3), torch.zeros(1)]]
    assert float(feature_matching_loss(real, fake)) == 0


def test_half_precision_scores_are_averaged_in_float32():
    fake = [[torch.full((100_000,), 0.3).bfloat16()]]
    assert generator_loss(fake).dtype == torch.float32


def test_different_numbers_of_discriminators_are_an_error():
    with pytest.raises(ValueError):
        discriminator_loss(maps(0), maps(0)[:1])
    with pytest.raises(ValueError):
        feature_matching_loss(maps(0), maps(0)[:1])
