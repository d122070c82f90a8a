"""What holds for every command, those of `catok score` among them."""

import inspect
import json
import subprocess
import sys
from dataclasses import is_dataclass
from typing import get_args, get_type_hints

import pytest

from catok.cli import main, score, versa
from catok.cli.program import COMMANDS

ALL = {
    **{(name,): function for name, function in COMMANDS.items() if name != "score"},
    ("score", "tts"): score.tts,
    ("score", "asr"): score.asr,
    ("score", "versa-export"): versa.export,
    ("score", "versa-import"): versa.read_back,
}
RUNS = {
    "train",
    "train-lm",
    "finetune",
    "finetune-lm",
    "evaluate",
    "score",
    "tokenize",
}  # --out is a run, which goes on


def options(command) -> dict[str, tuple[str, ...]]:
    """Names of a command's options, each with its aliases; those of its groups of options too."""
    hints = get_type_hints(command, include_extras=True)
    found = {}
    for name in inspect.signature(command).parameters:
        kind, *marks = get_args(hints[name]) or (hints[name],)
        if is_dataclass(kind):
            found |= options(kind)
        configured = [each for each in marks if hasattr(each, "aliases")]
        found[name] = tuple(configured[0].aliases or ()) if configured else ()
    return found


def test_all_commands_are_looked_at():
    jobs = get_args(score._Job)
    assert len(jobs) + len(COMMANDS) - 1 == len(ALL)


@pytest.mark.parametrize("name", ALL, ids=" ".join)
def test_common_options_are_the_same(name):
    found = options(ALL[name])
    assert found["quiet"] == ("-q",)
    assert {"threads", "version"} <= set(found)
    assert found.get("out", ("-o",)) == ("-o",)
    assert not {"output", "force", "resume", "skip", "num_threads", "silent"} & set(found)
    both = {"overwrite", "skip_existing"}
    if name[0] in RUNS:
        assert "skip_existing" not in found
    else:
        assert both & set(found) == (both if "out" in found else set())


@pytest.mark.parametrize("name", ALL, ids=" ".join)
def test_help_shows_no_none(name, capsys):
    with pytest.raises(SystemExit) as exit:
        main([*name, "--help"])
    text = capsys.readouterr().out
    assert exit.value.code == 0
    assert "None" not in text and "--version" in text and "-q, --quiet" in text


@pytest.mark.parametrize("name", ALL, ids=" ".join)
def test_the_version_is_answered_first(name, capsys):
    assert main([*name, "--version"]) == 0
    assert capsys.readouterr().out.startswith("catok 0.")


@pytest.mark.parametrize("name", ["encode", "decode", "roundtrip", "asr", "tts"])
def test_batches_can_be_shared_out(name):
    assert {"shard", "workers"} <= set(options(COMMANDS[name]))


@pytest.mark.slow
def test_threads_are_set(catok, recording, capsys):
    import os

    import torch

    before = torch.get_num_threads()
    try:
        assert catok("encode", recording, "--threads", "2", "-q") == 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert "OMP_NUM_THREADS" not in os.environ or os.environ["OMP_NUM_THREADS"] != "2"
    assert catok("encode", recording, "--threads", "0") == 1
    assert "--threads must be at least 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ["encode", "in", "-o", "out/"],
        ["encode", "in", "-o", "out/codes/"],
        ["encode", "in/deep/a.wav", "-o", "out/", "--model", "./gone"],
        ["roundtrip", "in", "-o", "out/"],
        ["decode", "bad.cat", "-o", "out/"],
        ["tts", "@text.txt", "-o", "out/", "--model", "./gone"],
        ["tts", "@list.jsonl", "-o", "out/", "--model", "./gone"],
        ["tokenize", "in", "-o", "out", "--model", "./gone"],
        ["evaluate", "--data", "in", "--out", "out", "--model", "./gone"],
        ["evaluate", "--data", "in", "--out", "out", "--baselines", "nothing:1"],
        ["score", "asr", "--data", "in", "--out", "out", "--asr", "catok:./gone"],
        ["train", "tiny/train", "--data", "in", "--out", "out"],
        ["train", "tiny/train", "--data", "in", "--out", "out", "--set", "init_from='./gone'"],
        ["finetune", "./gone", "--data", "in", "--out", "out"],
        ["train-lm", "lm/tts-small", "--data", "in", "--out", "out"],
    ],
    ids=" ".join,
)
def test_a_command_that_fails_leaves_no_folder(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for file in ("in/a.wav", "in/deep/a.wav", "bad.cat"):
        (tmp_path / file).write_text("no audio")
    (tmp_path / "text.txt").write_text("Hello.")
    (tmp_path / "list.jsonl").write_text(json.dumps({"text": "Hello."}))
    before = sorted(tmp_path.rglob("*"))
    assert main(command) == 1
    assert sorted(tmp_path.rglob("*")) == before
    assert "catok: error: " in capsys.readouterr().err


MISTAKES = """
import json, sys
from catok.cli import main
report = []
for command in json.loads(sys.argv[1]):
    code = main(command)
    heavy = [name for name in ("torch", "soundfile", "transformers") if name in sys.modules]
    report.append([code, heavy])
print(json.dumps(report))
"""


def test_arguments_are_checked_before_pytorch_is_imported(recording, catok, tmp_path):
    assert catok("encode", recording, "-q") == 0
    cat, wav = str(recording.with_suffix(".cat")), str(recording)
    gone = str(tmp_path / "gone")
    mistakes = [
        ["encode", f"{gone}.wav"],
        ["encode", wav, "-o", "x.wav"],
        ["encode", wav, "-o", f"{gone}/x.cat"],
        ["encode", wav, "--quantizers", "0"],
        ["decode", f"{gone}.cat"],
        ["decode", cat],
        ["roundtrip", f"{gone}.wav", "-o", "x.wav"],
        ["plot", f"{gone}.wav"],
        ["asr", f"{gone}.wav"],
        ["asr", wav, "-o", "x.doc"],
        ["asr", wav, "--quantizers", "0"],
        ["tts", "Hi.", "-o", "x.cat"],
        ["tts", f"@{gone}.txt", "-o", "x.wav"],
        ["tts", "Hi.", "-o", "x.wav", "--temperature", "nan"],
        ["tts", "Hi.", "-o", "x.wav", "--pause", "inf"],
        ["tts", "Hi.", "-o", "x.wav", "--pause", "1e9"],
        ["tts", "Hi.", "-o", "x.wav", "--max-seconds", "inf"],
        ["tts", "Hi.", "-o", "x.wav", "--seed", "1000000000000000000000"],
        ["tts", "Hi.", "-o", "x.wav", "--reference", f"{gone}.wav"],
        ["train", f"{gone}.toml", "--out", gone],
        ["train", "tiny/train", "--out", gone, "--data", gone],
        ["train-lm", "lm/tts-small", "--out", gone, "--data", gone],
        ["finetune", "tiny", "--out", gone, "--data", gone],
        ["finetune-lm", "tiny-tts", "--out", gone, "--data", gone],
        ["evaluate", "--data", gone, "--out", gone],
        ["score", "tts", "--list", gone, "--audio", gone, "--out", gone],
        ["score", "asr", "--data", gone, "--out", gone, "--asr", "tiny.en"],
    ]
    fine = [["info", cat], ["recipes"], ["recipes", "toy/codec"], ["encode", "--version"]]
    command = [sys.executable, "-c", MISTAKES, json.dumps(fine + mistakes)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    report = json.loads(result.stdout.splitlines()[-1])
    for arguments, (code, heavy) in zip(fine + mistakes, report, strict=True):
        assert (code != 0) == (arguments in mistakes), arguments
        assert heavy == [], arguments
    assert not list(tmp_path.glob("gone*")) and not list(tmp_path.glob("x.*"))
