"""The commands of docs/tutorial.md, in order, on seconds instead of minutes of recordings."""

import re
import shlex
from pathlib import Path

import pytest

from catok import CausalAudioTokenizer, load_audio, save_audio
from catok.cli import main

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tutorial.md"
SMALLER = {"--steps": "2"}
SET = ("validate_every=2", "data.batch_size=1", "data.crop_seconds=0.5", "log_every=1")


def reduced(line: str) -> list[str]:
    """The arguments of a command line, with less to do."""
    arguments = shlex.split(line)[1:]
    for option, value in SMALLER.items():
        if option in arguments:
            arguments[arguments.index(option) + 1] = value
    if "--set" in arguments:
        arguments = [*arguments[: arguments.index("--set") + 1], *SET]
    return arguments


def test_the_commands_of_the_tutorial_in_order(tmp_path, monkeypatch, capsys):
    audio, rate = load_audio(ROOT / "examples" / "speech.flac")
    for folder, start in (("train", 0), ("valid", 2)):
        (tmp_path / "recordings" / folder).mkdir(parents=True)
        part = audio[:, start * rate : (start + 2) * rate]
        save_audio(tmp_path / "recordings" / folder / "001.wav", part, rate)
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^    (catok .*)$", PAGE.read_text(), re.M)
    assert len(lines) == 6
    for line in lines:
        assert main(reduced(line)) == 0, (line, capsys.readouterr().err)
    shown = capsys.readouterr()
    assert all(f"valid_mel_{k}" in shown.err for k in (1, 32))
    assert "tiny" in shown.out and "model" in shown.out
    assert Path("results/report.html").is_file() and Path("decoded/001.wav").is_file()
    tuned = CausalAudioTokenizer.from_pretrained("runs/tuned/model")
    assert tuned.weight_hash == CausalAudioTokenizer.from_pretrained("tiny").weight_hash
