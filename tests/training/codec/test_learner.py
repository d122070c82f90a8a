"""One step of training: what moves, what must not, and what it all adds up to."""

from dataclasses import replace

import pytest
import torch

from catok.training.codec import gan
from catok.training.codec.codebooks.quantizer_dropout import DropoutConfig
from catok.training.codec.data import Batch
from catok.training.codec.semantic.semantic_config import SemanticConfig
from catok.training.codec.train_config import GanConfig, TrainStage

from ..conftest import CONFIG, changed, same, some_batch, weights

ADVERSARIAL = replace(CONFIG, stages=(TrainStage(4, adversarial=True),))
NO_DROPOUT = DropoutConfig(probability=0.0)


def part(batch, rows):
    fields = {name: value[rows] for name, value in vars(batch).items() if name != "skipped"}
    return Batch(**fields)


def gradients(learner):
    """Of everything that got one."""
    return {
        n: p.grad.clone() for n, p in learner.generator.named_parameters() if p.grad is not None
    }


def accumulated(learner, batches, **changes):
    config = replace(
        CONFIG,
        quantizer_dropout=NO_DROPOUT,
        optimizer=replace(CONFIG.optimizer, max_grad_norm=1e9),
        **changes,
    )
    made = learner(config)
    numbers = made.step(batches, 0).metrics
    return numbers, gradients(made)


@pytest.mark.parametrize("semantic", [None, SemanticConfig.preset("mini")])
def test_two_micro_batches_are_one_batch(learner, semantic):
    texts = ["a", "many more words than there are in the other half", None, "some"]
    whole = some_batch(4, texts=texts)
    losses = {"waveform": 1.0, "compressed_spectrum": 1.0, "weighted_waveform": 1.0}
    changes = {"semantic": semantic, "weights": losses}
    one, expected = accumulated(learner, [whole], **changes)
    halves = [part(whole, slice(0, 2)), part(whole, slice(2, 4))]
    two, found = accumulated(learner, halves, **changes)
    assert ("semantic" in one) == (semantic is not None)
    assert two == pytest.approx(one, rel=1e-4)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        size = float(gradient.norm())
        assert float((found[name] - gradient).norm()) <= 1e-3 * size + 1e-7, name


def test_losses_are_those_that_have_a_weight(learner):
    batch = some_batch()
    bare = learner(replace(CONFIG, weights={"codebook": 0.0, "commitment": 0.0}))
    reported = {"total", "grad_norm", "learning_rate", "revived"}
    assert set(bare.step([batch], 0).metrics) == {"mel", *reported}
    quiet = {"mel": 0.0, "waveform": 1.0, "adversarial": 0.0}
    numbers = learner(replace(ADVERSARIAL, weights=quiet)).step([batch], 0).metrics
    judged = {"discriminator", "discriminator_grad_norm"}
    assert set(numbers) == {"codebook", "commitment", "waveform", "feature", *judged, *reported}
    unjudged = replace(ADVERSARIAL, weights=quiet | {"feature": 0.0})
    assert "feature" not in learner(unjudged).step([batch], 0).metrics
    nothing = {"mel": 0.0, "codebook": 0.0, "commitment": 0.0}
    with pytest.raises(ValueError, match="all have weight 0"):
        learner(replace(CONFIG, weights=nothing)).step([batch], 0)


def test_the_total_is_the_weighted_sum(learner):
    chosen = {"mel": 2.0, "codebook": 3.0, "commitment": 0.5, "adversarial": 7.0, "feature": 11.0}
    numbers = learner(replace(ADVERSARIAL, weights=chosen)).step([some_batch()], 0).metrics
    terms = ("mel", "codebook", "commitment", "adversarial", "feature")
    total = sum(chosen[name] * numbers[name] for name in terms)
    assert numbers["total"] == pytest.approx(total, rel=1e-5)


def test_a_weight_changes_the_gradient(learner):
    plain = learner(replace(CONFIG, weights={"mel": 1.0, "codebook": 0.0, "commitment": 0.0}))
    plain.step([some_batch()], 0)
    heavy = learner(replace(CONFIG, weights={"mel": 1.0, "codebook": 9.0, "commitment": 0.0}))
    heavy.step([some_batch()], 0)
    rows = "codec.quantizer.quantizers.0.codebook.weight"
    assert rows not in gradients(plain) and float(gradients(heavy)[rows].norm()) > 0


def test_the_generators_side_leaves_the_discriminators_alone(learner, monkeypatch):
    monkeypatch.setattr(gan.GanTrainer, "discriminator_backward", lambda *_: {})
    made = learner(ADVERSARIAL)
    before = weights(made.discriminators)
    numbers = made.step([some_batch()], 0).metrics
    assert {"adversarial", "feature"} < set(numbers)
    assert all(p.grad is None and p.requires_grad for p in made.discriminators.parameters())
    assert not changed(made.discriminators, before)


def test_the_discriminators_side_leaves_the_generator_alone(learner):
    deaf = replace(ADVERSARIAL, weights={"adversarial": 0.0, "feature": 0.0})
    alone = learner(replace(deaf, stages=(TrainStage(4),)))
    alone.step([some_batch()], 0)
    judged = learner(deaf)
    before = weights(judged.discriminators)
    judged.step([some_batch()], 0)
    assert changed(judged.discriminators, before) == set(before)
    assert same(gradients(judged), gradients(alone))


def test_the_adversary_reaches_the_generator(learner):
    only = {"mel": 0.0, "codebook": 0.0, "commitment": 0.0, "feature": 0.0}
    made = learner(replace(ADVERSARIAL, weights=only))
    made.step([some_batch()], 0)
    found = gradients(made)
    assert all(float(g.norm()) > 0 for n, g in found.items() if ".decoder." in n)
    assert any(float(g.norm()) > 0 for n, g in found.items() if ".encoder." in n)


@pytest.mark.slow
def test_discriminators_learn(learner):
    made = learner(ADVERSARIAL)
    losses = [made.step([some_batch(seed=n)], n).metrics["discriminator"] for n in range(12)]
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])


def test_discriminators_take_part_in_one_step_of_so_many(learner):
    made = learner(replace(ADVERSARIAL, gan=GanConfig("toy", every=3)))
    parts = ["adversarial" in made.step([some_batch()], step).metrics for step in range(4)]
    assert parts == [True, False, False, True]


def test_any_loss_of_the_audio_reaches_the_decoder(learner):
    for name in ("mel", "waveform", "compressed_spectrum", "weighted_waveform"):
        only = {"mel": 0.0, name: 1.0}
        made = learner(replace(CONFIG, weights=only))
        before = weights(made.codec.decoder)
        assert name in made.step([some_batch()], 0).metrics
        assert changed(made.codec.decoder, before), name


def test_discriminators_judge_a_crop_of_the_length_asked_for(learner, monkeypatch):
    config = replace(ADVERSARIAL, gan=GanConfig("toy", crop_seconds=0.1))
    made = learner(config)
    heard, judge = [], made.discriminators.forward

    def listening(audio):
        heard.append(audio)
        return judge(audio)

    monkeypatch.setattr(made.discriminators, "forward", listening)
    batch = some_batch()
    made.step([batch], 0)
    assert [audio.shape for audio in heard] == [(2, 1, 2400), (2, 1, 2400), (4, 1, 2400)]
    places = (batch.audio.unfold(2, 2400, 1) == heard[0][:, :, None]).all(-1).all(0).flatten()
    assert places.sum() == 1
    assert torch.equal(heard[2][:2], heard[0])
    assert torch.equal(heard[2][2:], heard[1].detach())  # of the same place
    first = heard[0]
    heard.clear()
    made.step([batch], 1)
    assert not torch.equal(heard[0], first)
    heard.clear()
    made.step([some_batch(seconds=0.08)], 2)
    assert heard[0].shape == (2, 1, 1920)  # no more than there is


@pytest.mark.parametrize("adversarial", [False, True])
def test_frozen_parts_keep_every_bit(learner, adversarial):
    frozen = ("encoder", "quantizer")
    config = replace(
        CONFIG,
        stages=(TrainStage(4, adversarial=adversarial, freeze=frozen), TrainStage(4)),
        ema=0.9,
        revival=replace(CONFIG.revival, after=1),
    )
    made = learner(config)
    before = weights(made.codec)
    for step in range(3):
        assert made.step([some_batch(seed=step)], step).metrics["revived"] == 0
    moved = changed(made.codec, before)
    assert moved == {name for name in before if name.startswith("decoder.")}
    assert all(
        torch.equal(value, before[name]) == (not name.startswith("decoder."))
        for name, value in made.ema.average.items()
    )
    made.enter(config.stages[1])
    made.step([some_batch()], 3)
    assert any(name.startswith("encoder.") for name in changed(made.codec, before))


def test_what_was_trained_and_is_then_frozen_stays(learner):
    stages = (TrainStage(4), TrainStage(4, freeze=("encoder",)))
    made = learner(replace(CONFIG, stages=stages))
    for step in range(2):
        made.step([some_batch(seed=step)], step)
    before = weights(made.codec.encoder)
    made.enter(stages[1])
    for step in range(2):
        made.step([some_batch(seed=step)], step)
    assert not changed(made.codec.encoder, before)


def test_padding_and_masks(learner):
    """Rows are counted as far as they exist."""
    made = learner()
    batch = replace(some_batch(), lengths=torch.tensor([1, 7680]))
    made.step([batch], 0)
    assert made.usage.counts.sum(1).tolist() == pytest.approx([0.01 * 5] * 8)


def test_dead_codes_come_alive_and_it_is_said(learner):
    config = replace(CONFIG, revival=replace(CONFIG.revival, after=2, share=1.0))
    made = learner(config)
    assert made.step([some_batch()], 0).metrics["revived"] == 0
    before = weights(made.codec.quantizer)
    revived = made.step([some_batch()], 1).metrics["revived"]
    assert revived == 8 * 8 and int((made.usage.idle == 0).sum()) >= revived
    assert "quantizers.0.codebook.weight" in changed(made.codec.quantizer, before)


def test_every_row_has_a_prefix_of_its_own(learner, monkeypatch):
    seen = []
    made = learner(replace(CONFIG, quantizer_dropout=DropoutConfig(lengths=(3, 5))))
    forward = made.codec.forward

    def looking(audio, depths, mask):
        seen.append(depths.tolist())
        return forward(audio, depths, mask)

    monkeypatch.setattr(made.codec, "forward", looking)
    for step in range(4):
        made.step([some_batch(4), some_batch(2)], step)
    assert [len(row) for row in seen] == [4, 2] * 4
    assert {depth for row in seen for depth in row} == {3, 5}


def test_checkpointed_activations_change_nothing(learner):
    plain, frugal = learner(), learner(replace(CONFIG, checkpoint_activations=True))
    stage = frugal.codec.encoder[1]
    assert stage.checkpoint_activations and not plain.codec.encoder[1].checkpoint_activations
    assert frugal.step([some_batch()], 0).metrics == plain.step([some_batch()], 0).metrics
    assert same(gradients(frugal), gradients(plain))


def test_bfloat16_is_close_and_keeps_float32_weights(learner):
    plain, mixed = learner(), learner(replace(CONFIG, autocast=True))
    one, two = plain.step([some_batch()], 0).metrics, mixed.step([some_batch()], 0).metrics
    assert two["mel"] != one["mel"] and two["mel"] == pytest.approx(one["mel"], rel=0.05)
    assert {p.dtype for p in mixed.generator.parameters()} == {torch.float32}


def test_the_step_does_not_change_its_batches(learner):
    batch = some_batch(texts=["a", None])
    before = batch.audio.clone()
    learner(replace(ADVERSARIAL, semantic=SemanticConfig.preset("mini"))).step([batch], 0)
    assert torch.equal(batch.audio, before) and batch.texts == ("a", None)


@pytest.mark.slow
def test_discriminators_learn_alone_when_all_else_is_frozen(learner):
    frozen = ("encoder", "quantizer", "decoder")
    stage = TrainStage(4, adversarial=True, freeze=frozen)
    made = learner(replace(CONFIG, stages=(stage,)))
    assert made.gan is not None and made.discriminators is not None
    before, judged = weights(made.generator), weights(made.discriminators)
    batch = some_batch()
    numbers = [made.step([batch, batch], step).metrics for step in range(3)]
    assert same(before, weights(made.generator))
    assert not same(judged, weights(made.discriminators))
    assert numbers[2]["discriminator"] < numbers[0]["discriminator"]
    assert not {"total", "adversarial", "feature"} & set(numbers[0])
    assert numbers[0]["mel"] > 0 and numbers[0]["grad_norm"] == 0
    with pytest.raises(ValueError, match="nothing would learn"):
        replace(CONFIG, stages=(TrainStage(4, freeze=frozen),))
