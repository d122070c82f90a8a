import pytest
import torch

from catok.training.codec.generator import weighted_sum


def test_weighted_sum_by_hand():
    losses = {"mel": torch.tensor(2.0), "codebook": torch.tensor(3.0)}
    assert float(weighted_sum(losses, {"mel": 10.0, "codebook": 1.0, "feature": 5.0})) == 23


def test_a_loss_without_a_weight_is_an_error():
    with pytest.raises(ValueError, match=r"\['noise'\] have no weight"):
        weighted_sum({"noise": torch.tensor(1.0)}, {"mel": 1.0})


def test_a_stage_without_losses_is_an_error():
    with pytest.raises(ValueError, match="nothing to learn from"):
        weighted_sum({}, {"mel": 0.0})
