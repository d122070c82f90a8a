from dataclasses import replace

import pytest
import torch

from catok.training.codec.generator import weighted_sum

from ..conftest import CONFIG, changed, some_batch, weights

OUTSIDE = """
class Level:
    def __init__(self, sample_rate):
        assert sample_rate == 24_000
        self.seen = []

    def draw(self, rng):
        import torch
        return float(torch.rand((), generator=rng))

    def __call__(self, inputs):
        assert inputs.output.shape == inputs.target.shape and inputs.quantizer_share.shape == (2,)
        self.seen.append(inputs.choice)
        return (inputs.output.square().mean() - inputs.target.square().mean()).abs()


class Greedy:
    def __init__(self, sample_rate, more):
        pass
"""


def test_weighted_sum_by_hand():
    losses = {"mel": torch.tensor(2.0), "codebook": torch.tensor(3.0)}
    assert float(weighted_sum(losses, {"mel": 10.0, "codebook": 1.0, "feature": 5.0})) == 23


def test_a_loss_without_a_weight_is_an_error():
    with pytest.raises(ValueError, match=r"\['noise'\] have no weight"):
        weighted_sum({"noise": torch.tensor(1.0)}, {"mel": 1.0})


def test_a_stage_without_losses_is_an_error():
    with pytest.raises(ValueError, match="nothing to learn from"):
        weighted_sum({}, {"mel": 0.0})


@pytest.fixture
def outside(tmp_path, monkeypatch):
    (tmp_path / "outside_losses.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(tmp_path)
    return "python=outside_losses:Level"


def test_a_loss_from_outside_is_weighted_and_learnt_from(learner, outside):
    silent = {"mel": 0.0, "codebook": 0.0, "commitment": 0.0}
    made = learner(replace(CONFIG, weights=silent | {outside: 3.0}, accumulate=2))
    before = weights(made.codec.decoder)
    metrics = made.step([some_batch(), some_batch()], 0).metrics
    assert metrics["total"] == pytest.approx(3 * metrics[outside], rel=1e-5)
    assert changed(made.codec.decoder, before)
    seen = made.generator.losses[outside].compute.seen
    made.step([some_batch()], 1)
    assert seen[0] == seen[1] != seen[2]  # one choice for all micro-batches of a step


def test_mistakes_in_losses_say_what_to_do(learner, outside):
    unknown = learner(replace(CONFIG, weights={"mell": 1.0}))
    with pytest.raises(ValueError, match=r"\['mell'\], which are no losses here: there are.*'mel'"):
        unknown.step([some_batch()], 0)
    with pytest.raises(ValueError, match="cannot be built with a sample rate"):
        learner(replace(CONFIG, weights={outside.replace("Level", "Greedy"): 1.0}))
    with pytest.raises(ValueError, match="cannot import"):
        learner(replace(CONFIG, weights={"python=nothing:Loss": 1.0}))


def test_a_quantizers_own_losses_need_weights(learner):
    def with_entropy(made):
        forward = made.codec.quantizer.forward

        def more(*arguments, **settings):
            result = forward(*arguments, **settings)
            return replace(result, losses={**result.losses, "entropy": result.latents.mean()})

        made.codec.quantizer.forward = more
        return made

    with pytest.raises(ValueError, match=r"losses \['entropy'\] need weights"):
        with_entropy(learner()).step([some_batch()], 0)
    weighted = with_entropy(learner(replace(CONFIG, weights={"entropy": 0.1})))
    assert "entropy" in weighted.step([some_batch()], 0).metrics
