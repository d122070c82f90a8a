"""`catok serve`, as a program: it starts, logs JSON, and ends in peace."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from catok.cli import main

pytestmark = pytest.mark.slow


def test_it_starts_answers_and_ends_at_sigterm(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "serve.toml"
    config.write_text('tts = ""\nasr = ""\nport = 1\n')
    process = subprocess.Popen(
        [sys.executable, "-m", "catok", "serve", "--config", str(config)],
        env=os.environ | {"CATOK_SERVE_PORT": str(port)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for _ in range(600):
            try:
                address = f"http://127.0.0.1:{port}/v1/models"
                found = json.load(urllib.request.urlopen(address, timeout=5))
                break
            except OSError:
                assert process.poll() is None, process.communicate()
                time.sleep(0.1)
        assert [model["id"] for model in found["data"]] == ["tiny"]
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    first, *lines = errors.splitlines()
    assert first == f"catok: serving on http://127.0.0.1:{port}"
    rows = [json.loads(line) for line in lines]
    assert rows[0]["route"] == "/v1/models" and rows[0]["status"] == "200"


@pytest.mark.parametrize(
    "arguments, match",
    [
        (["--port", "70000"], "port must be from 0 to 65535"),
        (["--config", "none.toml"], "none.toml"),
        (["--tts", "no-such-model"], "no-such-model"),
        (["--device", "tpu"], "device must be one of"),
    ],
)
def test_mistakes_are_one_line(arguments, match, capsys):
    assert main(["serve", *arguments]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and match in lines[0]
