"""Small corpora on disk, in every layout that is read."""

import io
import json
import tarfile

import pytest
import torch

from catok import save_audio
from catok.training.codec.data import DataConfig, open_source

RATE, FRAME = 24_000, 1920


def tone(level, seconds, channels=1):
    """A constant level, so that a crop tells which recording it came from."""
    return torch.full((channels, round(seconds * RATE)), level)


def write_lines(path, lines):
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return path


def source(corpora, *, rank=0, world=1, seed=0, **changes):
    """A source over one CutSet, or over a list of (CutSet, weight)."""
    config = DataConfig(**{"crop_seconds": 0.4, "batch_size": 8, "shuffle_buffer": 50, **changes})
    corpora = corpora if isinstance(corpora, list) else [(corpora, None)]
    return open_source(
        config,
        corpora,
        sample_rate=RATE,
        channels=1,
        frame_size=FRAME,
        seed=seed,
        rank=rank,
        world=world,
    )


def levels(batches):
    """The level of every row, `[B]` of all batches joined."""
    return torch.cat([batch.audio.amax(dim=(1, 2)) for batch in batches])


def equal(one, two):
    """Whether two batches are the same in every field."""
    return (
        torch.equal(one.audio, two.audio)
        and torch.equal(one.lengths, two.lengths)
        and torch.equal(one.band_edges, two.band_edges)
        and (one.texts, one.tasks, one.skipped) == (two.texts, two.tasks, two.skipped)
    )


@pytest.fixture
def corpus(tmp_path):
    """Recordings of one level each: 2 s speech at 0.1, 1 s music at 0.2, 0.05 s speech at 0.3."""
    lines = []
    for name, level, seconds, domain, edge in (
        ("a", 0.1, 2.0, "speech", 4000),
        ("b", 0.2, 1.0, "music", None),
        ("c", 0.3, 0.05, "speech", 4000),
    ):
        save_audio(tmp_path / f"{name}.wav", tone(level, seconds), RATE)
        facts = {"domain": domain, "band_edge": edge, "text": f"say {name}"}
        lines.append({"audio": f"{name}.wav", "duration": seconds, **facts})
    return write_lines(tmp_path / "train.jsonl", lines)


@pytest.fixture
def archives(tmp_path):
    """Four WebDataset tars of six recordings each, of lengths from 0.3 to 2.6 s."""
    folder = tmp_path / "tars"
    folder.mkdir()
    for shard in range(4):
        files = {}
        for item in range(6):
            index = 6 * shard + item
            seconds, level = 0.3 + 0.1 * index, 0.01 * (index + 1)
            files[f"x/{index:03}.flac"] = audio_bytes(level, seconds)
            facts = {"duration": seconds, "text": f"word {index}", "band_edge": 1000 + index}
            files[f"x/{index:03}.json"] = json.dumps(facts).encode()
        write_tar(folder / f"s-{shard:02}.tar", files)
    return folder


def audio_bytes(level, seconds):
    """A FLAC file in memory."""
    file = io.BytesIO()
    file.name = "x.flac"
    save_audio(file, tone(level, seconds), RATE)
    return file.getvalue()


def write_tar(path, files):
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path
