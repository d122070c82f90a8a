"""Files are whole or not there, as private as they were, and nothing is left beside them."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from catok.io import files
from catok.io.files import replacing
from catok.io.weights import write_weights

KILLED = """
import os, signal, sys
from catok.io.files import replacing
from catok.io.weights import write_weights
with replacing(sys.argv[1]) as temporary:
    open(temporary, "w").write("half of it")
    print("writing", flush=True)
    signal.pause()
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def write(path: Path, text: str = "new") -> None:
    with replacing(path) as temporary:
        Path(temporary).write_text(text)


@pytest.mark.parametrize("before", [0o600, 0o640, 0o444])
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path, before):
    path = tmp_path / "x.safetensors"
    path.write_text("old")
    path.chmod(before)
    write(path)
    assert path.read_text() == "new" and mode(path) == before
    write_weights(path, {"a": torch.arange(3)})  # makes its file anew, of mode 600
    assert mode(path) == before


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_mode_of_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        write(tmp_path / "x.txt")
        write_weights(tmp_path / "x.safetensors", {"a": torch.arange(3)})
    finally:
        os.umask(before)
    assert mode(tmp_path / "x.txt") == mode(tmp_path / "x.safetensors") == 0o666 & ~umask


def test_nobody_else_reads_what_is_not_yet_whole(tmp_path):
    with replacing(tmp_path / "x") as temporary:
        assert Path(temporary).name == "x" and mode(Path(temporary).parent) == 0o700


@pytest.mark.slow
def test_what_a_killed_process_left_is_removed_by_the_next_one(tmp_path, monkeypatch):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "x.txt")]
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None and other.stdout.readline() == "writing\n"
        (left,) = tmp_path.iterdir()
        write(tmp_path / "y.txt")  # while the other process lives, its file is its own
        assert left.is_dir()
    finally:
        other.send_signal(signal.SIGKILL)
        other.communicate()
    (tmp_path / "notes.tmp").mkdir()
    monkeypatch.setattr(files, "_swept", set())  # as the next process would find it
    write(tmp_path / "z.txt")
    assert {path.name for path in tmp_path.iterdir()} == {"y.txt", "z.txt", "notes.tmp"}


def test_names_of_any_kind(tmp_path):
    for name in ("a" * 255, "ä" * 127, os.fsdecode(b"caf\xe9.wav"), "line\nbreak"):
        write(tmp_path / name)
        assert (tmp_path / name).read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 4


def test_a_link_keeps_pointing_at_the_new_content(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    write(tmp_path / "link.txt")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "real.txt").read_text() == "new"
