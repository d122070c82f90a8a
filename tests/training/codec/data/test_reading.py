import math

import pytest
import torch

from catok import save_audio
from catok.training.codec.data import DataConfig, read_cuts
from catok.training.codec.data.reading import crop_text, with_level

from .conftest import RATE, equal, source, tone, write_lines


def supervised(*spans):
    """A cut of 10 s with texts from and to some seconds."""
    from lhotse import SupervisionSegment

    from catok.data.entry import Entry
    from catok.training.codec.data.cuts import make_cut

    cut = make_cut(Entry(None, duration=10.0), "x.wav", name="x")
    cut.supervisions = [
        SupervisionSegment(id="s", recording_id="x", start=a, duration=b - a, text=text)
        for a, b, text in spans
    ]
    return cut


def test_a_crop_keeps_the_text_that_is_wholly_inside():
    cut = supervised((4.0, 6.0, "two"), (1.0, 3.0, "one"), (8.0, 10.0, "three"))
    assert crop_text(cut, 0.0, 10.0) == "one two three"
    assert crop_text(cut, 0.5, 6.0) == "one two"
    assert crop_text(cut, 3.0, 4.0) == "two"
    assert crop_text(cut, 6.5, 20.0) == "three"
    assert crop_text(cut, 3.2, 0.5) is None, "no words at all"
    for cut_in_part in ((0.5, 5.0), (2.0, 5.0), (1.5, 1.0)):
        assert crop_text(cut, *cut_in_part) is None
    assert crop_text(supervised((0.0, 10.5, "beyond")), 0.0, 10.0) is None
    assert crop_text(supervised((0.0, 2.0, "known"), (3.0, 4.0, None)), 0.0, 10.0) is None
    assert crop_text(supervised((0.0, 2.0, "known"), (3.0, 4.0, "")), 0.0, 10.0) == "known"


def damaged(folder):
    """A manifest whose lines are half good, half one of every kind of bad recording."""
    save_audio(folder / "good.wav", tone(0.1, 1.0), RATE)
    content = (folder / "good.wav").read_bytes()
    (folder / "truncated.wav").write_bytes(content[:20_000])
    (folder / "empty.wav").write_bytes(b"")
    (folder / "silent.wav").write_bytes(content[:44])
    (folder / "noise.wav").write_bytes(bytes(range(256)) * 100)
    import soundfile

    soundfile.write(folder / "nan.wav", [math.nan] * RATE, RATE, subtype="FLOAT")
    save_audio(folder / "cut.flac", torch.randn(1, RATE) * 0.1, RATE)
    (folder / "cut.flac").write_bytes((folder / "cut.flac").read_bytes()[:10_000])
    names = ["good", "truncated", "empty", "silent", "noise", "nan", "missing"]
    files = [f"{name}.wav" for name in names] + ["cut.flac"] + 7 * ["good.wav"]
    lines = [{"audio": file, "duration": 1.0, "text": file} for file in files]
    return write_lines(folder / "damaged.jsonl", lines)


@pytest.mark.parametrize("mode", ["crops", "buckets"])
def test_unreadable_recordings_are_replaced_and_reported(tmp_path, mode):
    changes = {"mode": mode, "crop_seconds": 1.04, "num_buckets": 2, "max_seconds": 5.0}
    changes["batch_seconds"] = 8.0
    one = source(read_cuts(damaged(tmp_path)), **changes)
    two = source(read_cuts(tmp_path / "damaged.jsonl"), **changes)
    skipped = set()
    for step in range(12):
        batch = one.batch(step)
        assert equal(batch, two.batch(step))
        assert set(batch.texts) == {"good.wav"}
        skipped |= {reason.split(":")[0].rsplit("/")[-1] for reason in batch.skipped}
    names = {"truncated", "empty", "silent", "noise", "nan", "missing"}
    assert skipped == {f"{name}.wav" for name in names} | {"cut.flac"}


def test_nothing_readable_is_an_error(tmp_path):
    lines = [{"audio": f"{index}.wav", "duration": 1.0} for index in range(3)]
    cuts = read_cuts(write_lines(tmp_path / "lost.jsonl", lines))
    with pytest.raises(ValueError, match=r"20 recordings in a row cannot be read.*\.wav"):
        source(cuts).batch(0)


def test_audio_in_memory_is_decoded(corpus):
    from lhotse import CutSet, Recording

    recording = Recording.from_bytes((corpus.parent / "b.wav").read_bytes(), "b")
    cut = recording.to_cut()
    batch = source(CutSet([cut])).batch(0)
    assert (batch.audio - 0.2).abs().max() < 1e-3


def test_gain_varies_the_level_but_never_clips(corpus):
    batch = source(read_cuts(corpus), gain_db=(-20.0, 30.0)).batch(0)
    heard = batch.audio.amax(dim=(1, 2))
    assert heard.unique().numel() > 4 and heard.max() <= 1.0


def test_loudness_is_reached_unless_it_clips():
    config = DataConfig(loudness_db=(-30.0, -10.0))
    audio = torch.sin(torch.arange(4800) * 0.1)[None] * 0.01
    for level_quantile in (0.0, 0.5, 1.0):
        rms = with_level(audio, config, level_quantile).square().mean().sqrt()
        assert 20 * math.log10(rms) == pytest.approx(-30 + 20 * level_quantile, abs=0.01)
    click = torch.zeros(1, 4800)
    click[0, 7] = 0.5
    assert with_level(click, config, 1.0).abs().max() == pytest.approx(1.0)
    silence = torch.full((1, 100), 1e-5)
    assert torch.equal(with_level(silence, config, 1.0), silence)


def test_bad_settings():
    for changes in (
        {"gain_db": (-3.0, 3.0), "loudness_db": (-30.0, -20.0)},
        {"loudness_db": (-20.0, -30.0)},
        {"batch_seconds": 10.0},
        {"num_buckets": 1},
        {"domain_weights": {"speech": 0.0}},
    ):
        with pytest.raises(ValueError, match="data"):
            DataConfig(**changes)
