from dataclasses import replace

import torch

from catok.training.codec.data import open_source
from catok.training.codec.losses.mel import MelLoss
from catok.training.codec.validation import Validator

from ..conftest import CONFIG, EVERYTHING, some_batch, weights


def validator(learner, corpora, batches=2):
    source = open_source(
        CONFIG.data, corpora, sample_rate=24_000, channels=1, frame_size=1920, seed=0
    )
    return Validator(learner, source, batches)


def test_mel_by_number_of_codebooks(learner, corpora):
    made = learner()
    judge = validator(made, corpora)
    numbers = judge.measure()
    assert list(numbers) == ["valid_mel_1", "valid_mel_2", "valid_mel_4", "valid_mel_8"]
    batches = [judge.source.batch(index) for index in range(2)]
    with torch.no_grad():
        values = [
            float(MelLoss(24_000)(made.codec(b.audio, 2).audio, b.audio, b.band_edges))
            for b in batches
        ]
    assert abs(numbers["valid_mel_2"] - sum(values) / 2) < 1e-4
    assert set(judge.examples) == {"original", *(f"codebooks-{d}" for d in (1, 2, 4, 8))}
    assert all(audio.shape == (1, 7680) for audio in judge.examples.values())
    assert judge.measure() == numbers


def test_it_leaves_the_model_as_it_was(learner, texts):
    made = learner(EVERYTHING)
    for step in range(2):
        made.step([some_batch(seed=step)], step)
    before = weights(made.generator)
    numbers = validator(made, texts).measure()
    assert made.generator.training and all(
        torch.equal(p, before[name]) for name, p in made.generator.named_parameters()
    )
    assert all(p.grad is not None for p in made.codec.decoder.parameters())
    assert numbers["valid_semantic"] > 0


def test_with_an_average_that_is_what_is_measured(learner, corpora):
    made = learner(replace(CONFIG, ema=0.9))
    first = validator(made, corpora).measure()
    with torch.no_grad():
        for parameter in made.codec.decoder.parameters():
            parameter.mul_(3)
    assert validator(made, corpora).measure() == first


def test_without_text_there_is_nothing_to_say_of_it(learner, corpora):
    assert "valid_semantic" not in validator(learner(EVERYTHING), corpora).measure()
