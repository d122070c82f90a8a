"""The CTC head: its loss against a sum over all alignments, and its file."""

from itertools import groupby, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.lm.asr.ctc import CTC, CTCHead


def head(vocab=2, per_frame=2, seed=0):
    torch.manual_seed(seed)
    made = CTCHead(3, vocab, per_frame)
    with torch.no_grad():
        made.linear.weight.mul_(4)
    return made


def collapsed(path, blank):
    return [label for label, _ in groupby(path) if label != blank]


def by_hand(log_probs, labels):
    """Minus the log of the summed probability of all paths that spell the labels."""
    steps, classes = log_probs.shape
    paths = [p for p in product(range(classes), repeat=steps) if collapsed(p, 2) == labels]
    if not paths:
        return None
    scores = torch.stack([log_probs[range(steps), p].sum() for p in paths])
    return -float(scores.detach().logsumexp(0))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(0, 1), max_size=4), min_size=1, max_size=3), st.data())
def test_loss_is_the_sum_over_alignments(texts, data):
    frames = torch.tensor([data.draw(st.integers(1, 3)) for _ in texts])
    hidden = torch.randn(len(texts), 3, 3, generator=torch.Generator().manual_seed(1))
    made = head()
    longest = max(1, *map(len, texts)) if len(texts) > 1 else max(1, len(texts[0]))
    labels = torch.tensor([text + [0] * (longest - len(text)) for text in texts])
    lengths = torch.tensor([len(text) for text in texts])
    total, count = made(hidden, frames, labels, lengths)
    log_probs = made.log_probs(hidden)
    assert log_probs.shape == (len(texts), 6, 3)
    expected = [
        by_hand(log_probs[row, : 2 * n], text)
        for row, (n, text) in enumerate(zip(frames.tolist(), texts, strict=True))
    ]
    possible = [(loss, len(t)) for loss, t in zip(expected, texts, strict=True) if t and loss]
    assert float(total.detach()) == pytest.approx(sum(loss for loss, _ in possible), abs=1e-4)
    assert int(count) == sum(length for _, length in possible)


def test_an_empty_text_counts_where_it_says_that_nobody_speaks():
    hidden, frames = torch.randn(3, 4, 3), torch.tensor([2, 4, 3])
    labels, lengths = torch.tensor([[1, 0], [0, 0], [0, 1]]), torch.tensor([1, 0, 2])
    made = head()
    spoken, count = made(hidden, frames, labels, lengths)
    assert int(count) == 3
    total, count = made(hidden, frames, labels, lengths, empty_counts=True)
    blanks = -made.log_probs(hidden)[1, :, made.blank].sum()
    torch.testing.assert_close(total, spoken + blanks)
    assert int(count) == 3 + 4


def test_positions_of_a_frame_follow_each_other():
    made = head(vocab=5, per_frame=3)
    hidden = torch.randn(1, 4, 3)
    whole = made.log_probs(hidden)
    for frame in range(4):
        one = made.log_probs(hidden[:, frame : frame + 1])
        torch.testing.assert_close(one, whole[:, 3 * frame : 3 * frame + 3])
    torch.testing.assert_close(whole.exp().sum(-1), torch.ones(1, 12))
    assert whole.shape[2] == made.blank + 1


def test_file_gives_back_the_head(tmp_path):
    made = head(vocab=7, per_frame=4)
    made.save(tmp_path)
    found = CTCHead.load(tmp_path)
    assert found is not None and (found.width, found.vocab, found.per_frame) == (3, 7, 4)
    hidden = torch.randn(2, 3, 3)
    assert torch.equal(found.log_probs(hidden), made.log_probs(hidden))
    assert CTCHead.load(tmp_path / "none") is None
    (tmp_path / CTC).write_bytes(b"nothing")
    with pytest.raises(ValueError, match="cannot be read"):
        CTCHead.load(tmp_path)


def test_sizes_must_be_positive():
    with pytest.raises(ValueError, match="per_frame of a CTC head"):
        CTCHead(3, 4, 0)
