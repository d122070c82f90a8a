"""Inputs become recordings, and recordings audio, here or in other processes."""

import json
import os

import numpy as np
import pytest
import soundfile
import torch

from catok.corpus import reading
from catok.corpus.inputs import read_inputs
from catok.corpus.reading import Reader


@pytest.fixture
def folder(tmp_path):
    """Three recordings with texts, one of them broken, and a manifest of parts."""
    draw = np.random.default_rng(0)
    root = tmp_path / "speech"
    (root / "sub").mkdir(parents=True)
    for number, name in enumerate(("a.wav", "b.flac", "sub/a.wav")):
        audio = 0.1 * draw.standard_normal((8000 * (number + 1), 1))
        soundfile.write(root / name, audio, 16_000)
    (root / "a.txt").write_text("first")
    (root / "broken.wav").write_bytes(b"RIFF no audio")
    lines = [
        {"audio_filepath": "speech/a.wav", "text": "part", "offset": 0.1, "duration": 0.2, "x": 1},
        {"audio": "speech/gone.wav"},
    ]
    text = "\n".join(map(json.dumps, lines))
    (tmp_path / "list.jsonl").write_text(text)
    return root


def read(recordings, workers=0):
    found = {}
    for recording, blocks in Reader(24_000, 1, workers).read((r, r) for r in recordings):
        try:
            found[recording.id] = torch.cat(list(blocks), dim=1)
        except (ValueError, OSError) as error:
            found[recording.id] = str(error)
    return found


def test_folders_and_manifests_with_all_they_say(folder, tmp_path):
    recordings = {r.id: r for r in read_inputs([folder, tmp_path / "list.jsonl"])}
    assert set(recordings) == {"a", "b", "broken", "sub/a", "speech/a", "speech/gone"}
    assert recordings["a"].columns == {"text": "first", "audio": str(folder / "a.wav")}
    part = recordings["speech/a"]
    assert (part.offset, part.duration) == (0.1, 0.2)
    assert part.columns["x"] == 1
    assert part.columns["text"] == "part"
    assert recordings["speech/gone"].error is not None
    assert len({r.version for r in recordings.values()}) > 3


def test_ids_that_come_twice_are_numbered(folder):
    ids = [recording.id for recording in read_inputs([folder, folder])]
    assert len(set(ids)) == len(ids) == 8
    assert {"a", "a-2"} <= set(ids)


@pytest.mark.slow
def test_workers_read_what_is_read_here(folder, tmp_path):
    recordings = read_inputs([folder, tmp_path / "list.jsonl"])
    here, there = read(recordings), read(recordings, workers=2)
    assert list(here) == list(there)
    for name, audio in here.items():
        if isinstance(audio, str):
            assert there[name] == audio
        else:
            assert torch.equal(audio, there[name])
    assert here["a"].shape == (1, 12_000)
    assert here["speech/a"].shape == (1, 4800)
    assert "broken" in here["broken"]


def test_long_recordings_are_not_read_whole(folder, monkeypatch):
    monkeypatch.setattr(reading, "LONGEST", 0.9)
    recordings = {recording.id: recording for recording in read_inputs([folder])}
    assert reading._read(recordings["a"], 24_000, 1).audio.shape == (1, 12_000)
    assert reading._read(recordings["sub/a"], 24_000, 1) is None


class Deadly:
    """Stands for a recording that kills the process which reads it."""

    def blocks(self, *_):
        os._exit(1)


@pytest.mark.slow
def test_what_kills_its_reader_is_a_failure_of_its_own(audio):
    good = read_inputs([audio])
    recordings = [(0, good[0]), (1, Deadly()), (2, good[1]), (3, good[2])]
    lengths, errors = {}, {}
    for key, blocks in Reader(24_000, 1, workers=1).read(recordings):
        try:
            lengths[key] = sum(block.shape[1] for block in blocks)
        except ValueError as error:
            errors[key] = str(error)
    assert set(lengths) == {0, 2, 3}
    assert "process that read it died" in errors[1]
