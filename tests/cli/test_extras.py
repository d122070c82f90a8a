"""What a missing package means: one table, one hint."""

import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from catok import extras
from catok.cli import main

ROOT = Path(__file__).parents[2]


def test_the_table_is_that_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = project["optional-dependencies"]
    assert set(extras.EXTRAS) == set(extras.BRINGS) <= set(declared)
    names = packages_distributions()
    for extra, modules in extras.EXTRAS.items():
        wanted = {re.split(r"[<>=\[]", each)[0].lower() for each in declared[extra]}
        found = {min(names[module]).lower() for module in modules if module in names}
        assert found <= wanted, extra
        assert len(modules) == len(wanted), extra


def test_what_is_missing_is_named_with_a_command(monkeypatch):
    extras.require("tts")
    monkeypatch.setitem(extras.EXTRAS, "tts", ("transformers", "no_such_package"))
    command = r'pip install "catok\[tts\]" \(in a checkout: pip install "\.\[tts\]"\)'
    with pytest.raises(ValueError, match=f"no_such_package not installed: {command}"):
        extras.require("tts")
    with pytest.raises(ValueError, match=f"no_such_package is not installed: {command}"):
        extras.imported("no_such_package.inside", "tts")
    assert extras.missing("tts") == ["no_such_package"]
    assert extras.hint_for("somebody_elses") is None


@pytest.mark.parametrize("extra, command", [
    ("train", ["train", "tiny/train", "--out", "x"]),
    ("train", ["finetune", "tiny", "--out", "x"]),
    ("tts", ["train-lm", "lm/tts-small", "--out", "x", "--data", "."]),
    ("plot", ["plot", "x.wav"]),
])  # fmt: skip
def test_commands_ask_before_they_begin(extra, command, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(extras, "_is_installed", lambda name: False)
    assert main(command) == 1
    assert f'pip install "catok[{extra}]"' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_package_that_is_missed_later_is_explained(recording, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "lhotse", None)
    monkeypatch.setattr("catok.cli.train.require", lambda *names: None)
    folder = recording.parent
    assert main(["train", "toy/codec", "--out", str(folder / "x"), "--data", str(folder)]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("catok: error: lhotse is not installed: pip install")


def test_the_judges_of_evaluation_name_the_same_command():
    from catok.evaluation.extras import INSTALL

    assert extras.install("eval") == INSTALL
