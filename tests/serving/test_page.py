"""The snippets of docs/serving*.md, against a real server with the models of the package."""

import asyncio
import os
import re
import shlex
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
import torch

from catok import CausalAudioTokenizer, Encoded, load_audio
from catok.serving import ServerConfig, load_models
from catok.serving.formats import as_pcm, from_pcm
from tests.serving.client import running

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "serving.md").read_text()
SOCKETS = ROOT / "docs" / "serving-sockets.md"
EXAMPLE = ROOT / "examples" / "speech.flac"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


@pytest.fixture(scope="module")
def address():
    config = ServerConfig()
    with running(load_models(config, "cpu"), max_seconds=3.0) as (address, _):
        yield address


def test_codes_over_a_websocket(address):
    (code,) = re.findall(r"^```py\n(.*?)^```", SOCKETS.read_text(), re.M | re.S)
    names = {}
    exec(
        compile(
            code.replace("ws://127.0.0.1:8000", address.replace("http", "ws")), SOCKETS, "exec"
        ),
        names,
    )
    tok = CausalAudioTokenizer.from_pretrained("tiny")
    audio = from_pcm(as_pcm(load_audio(EXAMPLE)[0][:, :50_000]), 1)
    parts = asyncio.run(names["encode"](as_pcm(audio)))
    codes = torch.cat([torch.tensor(part) for part in parts], dim=1)
    assert torch.equal(codes, tok.encode(audio[None], num_quantizers=8).codes[0])


def test_curl(address, tmp_path):
    port = address.rpartition(":")[2]
    for line in "".join(blocks("sh")).splitlines():
        command = shlex.split(line.replace("localhost:8000", f"127.0.0.1:{port}"))
        assert command[:2] == ["curl", "-s"]
        done = subprocess.run([*command, "--fail-with-body"], cwd=tmp_path, capture_output=True)
        assert done.returncode == 0, done.stdout
    audio, rate = load_audio(tmp_path / "speech.wav")
    assert rate == 24_000
    assert Encoded.load(tmp_path / "speech.cat").sample_lengths.tolist() == [audio.shape[1]]
    assert load_audio(tmp_path / "again.wav")[0].shape == audio.shape


def test_openais_client(address, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("py")
    exec(compile(code.replace("http://localhost:8000", address), "serving.md", "exec"), {})
    assert load_audio(tmp_path / "speech.wav")[0].shape[1] > 0
    assert capsys.readouterr().out.endswith("\n")


def test_the_table_of_settings_is_complete(tmp_path):
    table = PAGE[PAGE.index("| setting |") :]
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", table, re.M))))
    assert {each.name for each in fields(ServerConfig)} <= named
    (toml,) = blocks("toml")
    path = tmp_path / "serve.toml"
    path.write_text(toml)
    assert ServerConfig.load(path, {}).voice_names == {"nova": "anna"}
    assert os.environ.get("CATOK_SERVE_PORT") is None
