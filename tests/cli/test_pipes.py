"""The command as a program: pipes, exit codes, help."""

import os
import shlex
import subprocess
import sys

from catok import load_audio

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
CATOK = f"{shlex.quote(sys.executable)} -m catok"


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash; a pipe fails where any of its programs does."""
    line = ["bash", "-o", "pipefail", "-c", command]
    return subprocess.run(line, capture_output=True, text=True, env=ENVIRONMENT, timeout=120)


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
