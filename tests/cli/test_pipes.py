"""The command as a program: pipes, exit codes, help."""

import os
import shlex
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from catok import load_audio

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
CATOK = f"{shlex.quote(sys.executable)} -m catok"


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash; a pipe fails where any of its programs does."""
    line = ["bash", "-o", "pipefail", "-c", command]
    return subprocess.run(line, capture_output=True, text=True, env=ENVIRONMENT, timeout=120)


@pytest.mark.slow
def test_encode_into_decode(model_folder, recording, tmp_path):
    model = f"--model {shlex.quote(str(model_folder))}"
    source, out = shlex.quote(str(recording)), shlex.quote(str(tmp_path / "out.wav"))
    result = shell(
        f"{CATOK} encode - -o - {model} < {source} | {CATOK} decode - -o - {model} > {out}"
    )
    assert result.returncode == 0 and result.stderr.count("\n") == 2
    assert load_audio(tmp_path / "out.wav")[0].shape == (1, 31_234)


def test_a_closed_pipe():
    result = shell(f"{CATOK} encode --help | true")
    assert (result.returncode, result.stderr) == (141, "")


def fed(pipe: Path, content: bytes) -> threading.Thread:
    """Make a pipe and write into it as somebody reads."""
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(content), daemon=True)
    writer.start()
    return writer


def test_pipes_with_names(catok, recording, tmp_path, capsys):
    """A shell's <(...) and /dev/stdin are read once and to their end, like standard input."""
    assert catok("encode", recording, "-o", tmp_path / "file.cat") == 0
    writer = fed(tmp_path / "pipe", recording.read_bytes())
    assert catok("encode", tmp_path / "pipe", "-o", tmp_path / "pipe.cat") == 0
    writer.join()
    assert (tmp_path / "pipe.cat").read_bytes() == (tmp_path / "file.cat").read_bytes()
    assert catok("encode", tmp_path / "pipe", recording, "-o", f"{tmp_path}/d/") == 2
    assert "a pipe goes alone" in capsys.readouterr().err


def test_the_library_reads_pipes(recording, tmp_path):
    writer = fed(tmp_path / "pipe", recording.read_bytes())
    audio, _ = load_audio(tmp_path / "pipe")
    writer.join()
    assert torch.equal(audio, load_audio(recording)[0])
