"""What a command loads: nothing of the rooms that it does not work with."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from catok import CausalAudioTokenizer, load_audio

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[1] / "examples" / "speech.flac"
LOADED = """
import json, sys
from catok.cli import main
assert main(sys.argv[1:]) == 0
print("\\n", json.dumps(sorted(sys.modules)), sep="")
"""


@cache
def loaded(*arguments: str) -> frozenset[str]:
    """The modules that a command line has loaded when it is done."""
    run = [sys.executable, "-c", LOADED, *arguments]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return frozenset(json.loads(done.stdout.splitlines()[-1]))


def within(modules: frozenset[str], *packages: str) -> set[str]:
    """Those of the modules that belong to a package."""
    return {m for m in modules if any(m == p or m.startswith(f"{p}.") for p in packages)}


@pytest.fixture(scope="module")
def cat(tmp_path_factory):
    """A short recording and its codes."""
    folder = tmp_path_factory.mktemp("imports")
    tok = CausalAudioTokenizer.from_pretrained("tiny")
    tok.encode(load_audio(EXAMPLE)[0][None, :, :4000]).save(folder / "a.cat")
    return folder / "a.cat"


ROOMS = ("catok.corpus", "catok.evaluation", "catok.hf", "catok.lm", "catok.serving")


def test_the_package_alone_loads_neither_torch_nor_numpy():
    code = "import catok, sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    modules = frozenset(json.loads(done.stdout))
    assert within(modules, "catok") == {"catok", "catok.lazy"}
    assert not within(modules, "torch", "numpy", "tyro", "soundfile")


@pytest.mark.parametrize("command", ["encode", "roundtrip", "decode"])
def test_the_codec_loads_no_other_room(command, cat, tmp_path):
    source = str(cat) if command == "decode" else str(EXAMPLE)
    out = str(tmp_path / ("a.cat" if command == "encode" else "a.wav"))
    modules = loaded(command, source, "-o", out)
    assert within(modules, "catok.tokenizer", "torch")
    assert not within(modules, "catok.training", *ROOMS)
    assert not within(modules, "transformers", "scipy", "pandas", "matplotlib", "lhotse")


def test_speech_loads_neither_training_nor_evaluation(tmp_path):
    modules = loaded("tts", "Hi.", "-o", str(tmp_path / "a.wav"), "--max-seconds", "0.2")
    assert within(modules, "catok.lm.tts")
    assert not within(modules, "catok.training", "catok.evaluation", "catok.corpus")
    assert not within(modules, "pandas", "matplotlib", "lhotse")


def test_recognition_loads_neither_training_nor_evaluation():
    modules = loaded("asr", str(EXAMPLE))
    assert within(modules, "catok.lm.asr")
    assert not within(modules, "catok.training", "catok.evaluation", "catok.corpus")


def test_what_is_said_without_a_model_needs_no_torch(cat):
    for arguments in (("info", str(cat)), ("recipes",)):
        assert not within(loaded(*arguments), "torch", "transformers"), arguments
