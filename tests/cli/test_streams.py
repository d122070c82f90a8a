"""Pipes that close, standard files that are not there, signals: no traceback, nothing left."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from catok.cli.errors import exit_code

from .test_pipes import CATOK, shell

pytestmark = pytest.mark.slow

INTERRUPT = """
import os, signal, sys, threading
from catok.cli.errors import exit_code
from catok.io.files import replacing
def command():
    with replacing(sys.argv[1]) as temporary:
        open(temporary, "w").write("half")
        os.kill(os.getpid(), getattr(signal, sys.argv[2]))
        threading.Event().wait(20)
    return 0
sys.exit(exit_code(command))
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_files(closed, tmp_path):
    path = shlex.quote(str(tmp_path / "x.txt"))
    result = shell(f"{CATOK} recipes toy -o {path} {closed}; echo $?; {CATOK} recipes {closed}")
    assert result.stdout.splitlines()[0] == "0"
    assert "Traceback" not in result.stderr and "Exception ignored" not in result.stderr
    assert (tmp_path / "x.txt" / "codec.toml").read_text().startswith("#")


def test_what_needs_a_closed_file_says_so(recording):
    source = shlex.quote(str(recording))
    result = shell(f"{CATOK} encode {source} -o - >&-")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "standard output is closed" in result.stderr
    result = shell(f"{CATOK} encode - <&-")
    assert result.returncode == 2 and "standard input is closed" in result.stderr


def test_readers_that_leave(tmp_path):
    for line in (f"{CATOK} recipes | true", f"{CATOK} encode nowhere.wav 2> >(exec true)"):
        result = shell(line)
        assert result.returncode in (1, 141)
        assert result.stderr == ""


@pytest.mark.parametrize("name, code", [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_signals_leave_nothing_behind(name, code, tmp_path):
    command = [sys.executable, "-c", INTERRUPT, str(tmp_path / "x"), name]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == code
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    assert exit_code(lambda: 0) == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_no_memory_is_one_line(capsys):
    def hungry() -> int:
        raise MemoryError

    assert exit_code(hungry) == 1
    assert capsys.readouterr().err.startswith("catok: error: out of memory")


def test_names_that_are_not_utf8(catok, recording, tmp_path, capsys):
    folder = tmp_path / "names"
    folder.mkdir()
    name = os.fsdecode(b"caf\xe9")
    os.link(recording, folder / f"{name}.wav")
    os.link(recording, folder / "ok.wav")
    assert catok("encode", folder, "-o", tmp_path / "out") == 0
    assert sorted(Path(tmp_path / "out").iterdir()) == sorted(
        [tmp_path / "out" / f"{name}.cat", tmp_path / "out" / "ok.cat"]
    )
    (folder / "ok.wav").unlink()
    (folder / f"{name}.wav").unlink()
    (folder / f"{name}.wav").write_text("no audio")
    assert catok("encode", folder) == 1
    assert r"caf\xe9.wav" in capsys.readouterr().err
