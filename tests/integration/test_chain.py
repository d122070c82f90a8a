"""From nothing to speech and back, by the commands a user types: a tokenizer, recognition on its
codes, synthesis on the same codes. All are trained here, and judged on texts and recordings that
they were not trained on. The language is made up and nearly free of noise: what is checked is that
the parts fit, not how good they are.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from recipes.toy import speech

from catok.cli import main

pytestmark = pytest.mark.slow

TOY = Path(__file__).parents[2] / "recipes" / "toy"
SEED = 0
DEVICE = ["--device", "cpu"]


def catok(*arguments: str | Path) -> None:
    """Run a command line, which must end well."""
    assert main([str(argument) for argument in arguments]) == 0


def error_rate(results: Path) -> float:
    """Per cent of wrong words, by a result folder of `catok score`; nothing may be missing."""
    (line,) = json.loads((results / "summary.json").read_text())["summary"]
    assert line["scored"] == line["utterances"]
    return line["corpus"]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with the recordings: 1000 in `train`, 24 others in `valid`."""
    folder = tmp_path_factory.mktemp("chain")
    speech.main(["--out", str(folder), "--seed", str(SEED)])
    return folder


@pytest.fixture(scope="module")
def valid(place) -> list[dict]:
    """The held-out recordings, as their manifest has them."""
    return [json.loads(line) for line in (place / "valid" / "all.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def tokenizer(place) -> Path:
    """The folder of a trained tokenizer."""
    named = f"architecture={TOY / 'tokenizer.json'}"
    data = ["--data", place / "train", "--out", place / "codec", *DEVICE]
    catok("train", TOY / "codec.toml", *data, "--set", named, f"seed={SEED}")
    return place / "codec" / "model"


@pytest.fixture(scope="module")
def train_lm(place, tokenizer) -> Callable[[str], Path]:
    """Train a language model by the recipe NAME.toml; returns the model's folder."""

    def train(name: str) -> Path:
        data = ["--data", place / "train" / "all.jsonl", "--out", place / name, *DEVICE]
        named = [f"architecture={TOY / 'lm.json'}", f"tokenizer={tokenizer}", f"seed={SEED}"]
        catok("train-lm", TOY / f"{name}.toml", *data, "--set", *named)
        return place / name / "model"

    return train


@pytest.fixture(scope="module")
def asr(train_lm) -> Path:
    """The folder of a trained recogniser."""
    return train_lm("asr")


@pytest.fixture(scope="module")
def tts(train_lm) -> Path:
    """The folder of a trained synthesis."""
    return train_lm("tts")


@pytest.fixture(scope="module")
def lists(place, valid) -> dict[str, Path]:
    """`speak`: the held-out texts for `catok tts`. Seed-TTS-Eval lists to judge by: `texts`, and
    `others` with the texts of other ids, which tells what chance makes of it.
    """
    found = {"speak": place / "speak.jsonl"}
    asked = [json.dumps({"id": line["id"], "text": line["text"]}) + "\n" for line in valid]
    found["speak"].write_text("".join(asked))
    for name, shift in (("texts", 0), ("others", 1)):
        found[name] = place / f"{name}.lst"
        rows = []
        for number, line in enumerate(valid):
            text = valid[number - shift]["text"]
            rows.append(f"{line['id']}|{line['text']}|valid/{line['audio']}|{text}\n")
        found[name].write_text("".join(rows))
    return found


@pytest.fixture(scope="module")
def recognised(place, asr) -> Callable[[int, Path], float]:
    """Error rate of recognition from the first `depth` codebooks, against a manifest's texts."""

    def measure(depth: int, manifest: Path) -> float:
        heard, out = place / f"heard-{depth}.jsonl", place / f"asr-{depth}-{manifest.stem}"
        if not heard.exists():
            depths = ["--quantizers", depth, *DEVICE]
            catok("asr", place / "valid", "-o", heard, "--model", asr, *depths)
        how = ["--out", out, "--language", "en", "--words", "seed-tts-eval"]
        catok("score", "asr", "--data", manifest, "--hypotheses", heard, *how)
        return error_rate(out)

    return measure


@pytest.fixture(scope="module")
def spoken(place, tts, lists) -> Callable[[int], Path]:
    """A folder of the held-out texts as synthesis speaks them with `depth` codebooks."""

    def speak(depth: int) -> Path:
        out = place / f"spoken-{depth}"
        if not out.exists():
            careful = ["--temperature", "0.5", "--text-temperature", "0"]
            careful += ["--repetition-penalty", "1", "--max-seconds", "3"]
            options = ["--quantizers", depth, "--batch-size", "12", *careful]
            catok("tts", f"@{lists['speak']}", "-o", out, "--model", tts, *options, *DEVICE)
        return out

    return speak


@pytest.fixture(scope="module")
def understood(place, asr, spoken, lists) -> Callable[[int, str], float]:
    """Error rate of what the recogniser hears in synthesised speech, against one of the `lists`."""

    def measure(depth: int, texts: str) -> float:
        out = place / f"tts-{depth}-{texts}"
        sources = ["--list", lists[texts], "--audio", spoken(depth), "--asr", f"catok:{asr}"]
        catok("score", "tts", *sources, "--out", out, "--metrics")
        return error_rate(out)

    return measure


def test_recordings_are_recognised(recognised, place, valid):
    assert recognised(4, place / "valid" / "all.jsonl") < 15
    texts = [line["text"] for line in valid]
    others = [
        line | {"text": text} for line, text in zip(valid, texts[1:] + texts[:1], strict=True)
    ]
    shuffled = place / "valid" / "shuffled.jsonl"
    shuffled.write_text("".join(json.dumps(line) + "\n" for line in others))
    assert recognised(4, shuffled) > 80


def test_half_the_codebooks_are_enough(recognised, place):
    assert recognised(2, place / "valid" / "all.jsonl") < 25


def test_spoken_texts_are_understood(understood):
    assert understood(4, "texts") < 25
    assert understood(4, "others") > 80


def test_half_the_codebooks_speak_too(understood):
    assert understood(2, "texts") < 40
