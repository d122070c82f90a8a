"""Losses of a batch: what they depend on, and what not."""

import pytest
import torch

from catok.training.lm.batches import collate
from catok.training.lm.examples import Example, build
from catok.training.lm.objective import Objective, voiced_frames


@pytest.fixture
def objective(networks):
    return Objective(networks.model, networks.ctc, ctc_weight=0.5).eval()


def batch(networks, corpus, task, indices, **facts):
    sequences = [build(Example(task, i, **facts), corpus, networks.prompt_builder) for i in indices]
    return collate(task, sequences, networks.prompt_builder)


@pytest.mark.parametrize("task", ["tts", "asr"])
def test_padding_and_neighbours_change_nothing(networks, corpus, objective, task):
    indices = (0, 3, 5)
    together = objective(batch(networks, corpus, task, indices), 3)
    alone = [objective(batch(networks, corpus, task, [i]), 3) for i in indices]
    sums = sum(a.tokens.per_channel * a.tokens.targets for a in alone)
    torch.testing.assert_close(together.tokens.per_channel * together.tokens.targets, sums)
    assert torch.equal(together.tokens.targets, sum(a.tokens.targets for a in alone))
    torch.testing.assert_close(together.ctc, sum(a.ctc for a in alone))
    assert int(together.ctc_labels) == sum(int(a.ctc_labels) for a in alone)


def test_padding_is_never_looked_at(networks, corpus, objective):
    one = batch(networks, corpus, "asr", (0, 5))
    other = batch(networks, corpus, "asr", (0, 5))
    assert not bool(one.mask.all())
    other.rows[~other.mask] = 1
    assert torch.equal(objective(one, 4).total, objective(other, 4).total)


def test_recognition_is_text_and_ctc(networks, corpus, objective):
    loss = objective(batch(networks, corpus, "asr", (1, 2)), 4)
    expected = loss.tokens.per_channel[0] + 0.5 * loss.ctc / loss.ctc_labels
    torch.testing.assert_close(loss.total, expected)
    assert loss.tokens.targets[1:].sum() == 0
    # with its newline and end, each text is two longer for the text channel than for CTC
    assert int(loss.tokens.targets[0]) == int(loss.ctc_labels) + 2 * 2
    plain = Objective(networks.model)(batch(networks, corpus, "asr", (1, 2)), 4)
    torch.testing.assert_close(plain.total, loss.tokens.per_channel[0])


def test_synthesis_is_codes_and_ctc(networks, corpus, objective):
    loss = objective(batch(networks, corpus, "tts", (1, 2)), 4)
    texts = [corpus.utterances[i].text for i in (1, 2)]
    assert int(loss.ctc_labels) == sum(map(len, texts))  # bytes
    expected = loss.tokens.losses["loss"] + 0.5 * loss.ctc / loss.ctc_labels
    torch.testing.assert_close(loss.total, expected)


def test_without_the_text_nothing_is_asked_about_it(networks, corpus, objective):
    untold = batch(networks, corpus, "tts", (1, 2), with_text=False)
    loss = objective(untold, 4)
    assert float(loss.ctc.detach()) == 0 and int(loss.ctc_labels) == 0
    torch.testing.assert_close(loss.total, loss.tokens.losses["loss"])
    told = objective(batch(networks, corpus, "tts", (1, 2)), 4)
    assert torch.equal(loss.tokens.targets, told.tokens.targets)
    assert not torch.equal(loss.tokens.per_channel, told.tokens.per_channel)


def test_synthesis_uses_the_prefix_of_codebooks_only(networks, corpus, objective):
    whole = batch(networks, corpus, "tts", (1, 2))
    changed = batch(networks, corpus, "tts", (1, 2))
    changed.rows[..., 3:] = 0
    changed.labels[..., 3:] = 5
    for each in (whole, changed):
        assert len(objective(each, 2).tokens.per_channel) == 3
    torch.testing.assert_close(objective(whole, 2).total, objective(changed, 2).total)
    assert objective(whole, 3).total != objective(changed, 3).total


def test_channel_weights_weigh(networks, corpus):
    weights = (2.0, 1.0, 0.0, 3.0, 1.0)
    loss = Objective(networks.model, channel_weights=weights)(
        batch(networks, corpus, "tts", (4,)), 3
    )
    share = torch.tensor(weights[:4])
    expected = (loss.tokens.per_channel * share).sum() / share.sum()
    torch.testing.assert_close(loss.total, expected)


@pytest.mark.parametrize("task", ["tts", "asr"])
def test_ctc_hears_the_frames_in_which_the_text_is_said(networks, corpus, task):
    facts = {"reference": 1, "reference_stop": 4} if task == "tts" else {}
    mixed = batch(networks, corpus, task, (0, 3, 5), **facts)
    hidden = torch.randn(*mixed.rows.shape[:2], 6)
    found, frames = voiced_frames(hidden, mixed.voiced)
    assert frames.tolist() == [corpus.utterances[i].frames for i in (0, 3, 5)]
    for row, count in enumerate(frames.tolist()):
        assert torch.equal(found[row, :count], hidden[row][mixed.voiced[row]])
