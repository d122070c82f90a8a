"""What `catok asr` calls its recordings."""

import io
from pathlib import Path

import pytest

from catok.cli.files import FileJob
from catok.cli.transcripts import recording_ids


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Where the command is run."""
    for name in ("x/a.wav", "x/deep/b.wav", "y/a.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ids(*inputs: str) -> list[str]:
    files = [
        f for p in map(Path, inputs) for f in (sorted(p.rglob("*.wav")) if p.is_dir() else [p])
    ]
    jobs = [FileJob(file, None) for file in files]
    found = recording_ids(inputs, jobs)
    return [found[job.name] for job in jobs]


def test_paths_from_the_folder_of_all_inputs(folder):
    assert ids(".") == ["x/a", "x/deep/b", "y/a"]
    assert ids("x") == ids(str(folder / "x")) == ["a", "deep/b"]
    assert ids("x", "y") == ["x/a", "x/deep/b", "y/a"]
    assert ids("x/deep") == ids("x/deep/b.wav") == ["b"]
    assert ids("x/a.wav", "y/../y/a.wav") == ["x/a", "y/a"]
    assert ids("x/a.wav", "x/deep") == ["a", "deep/b"]


def test_standard_input(folder):
    piped = FileJob(io.BytesIO(), None)
    assert recording_ids(["-"], [piped]) == {"standard input": "standard input"}


def test_two_of_one_id(folder):
    (folder / "x" / "a.flac").touch()
    with pytest.raises(ValueError, match=r"x/a\.wav and x/a\.flac would both have the id a"):
        ids("x/a.wav", "x/a.flac")
