"""From nothing to text, by the commands a user types: a tokenizer, and recognition on its codes.
Both are trained here, and judged on recordings that they were not trained on. The task is nearly
free of noise: it checks that the parts fit, not how well recognition does. Seeds 0 to 3 gave 0 %
errors with four and with two codebooks, and 100 % against the texts of other recordings.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from catok.cli import main
from catok.tokenizer.config import TokenizerConfig
from catok.training import build

from . import toy_models, toy_speech

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
    toy_speech.write_corpus(folder / "train", 1000, seed=SEED)
    toy_speech.write_corpus(folder / "valid", 24, seed=SEED + 1000)
    return folder


@pytest.fixture(scope="module")
def valid(place) -> list[dict]:
    """The held-out recordings, as their manifest has them."""
    return [json.loads(line) for line in (place / "valid" / "all.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def tokenizer(place) -> Path:
    """The folder of a trained tokenizer."""
    preset = TokenizerConfig.preset

    def with_toy(name: str) -> TokenizerConfig:
        return TokenizerConfig.from_dict(toy_models.TOKENIZER) if name == "toy" else preset(name)

    (place / "codec.toml").write_text(toy_models.TOKENIZER_RECIPE.format(seed=SEED))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build.TokenizerConfig, "preset", staticmethod(with_toy))
        data = ["--data", place / "train", "--out", place / "codec"]
        catok("train", place / "codec.toml", *data, *DEVICE)
    return place / "codec" / "model"


@pytest.fixture(scope="module")
def train_lm(place, tokenizer) -> Callable[[str, str], Path]:
    """Train a language model by a recipe, in the run folder `name`; returns the model's folder."""
    model = place / "new.json"
    model.write_text(json.dumps(toy_models.LANGUAGE_MODEL))

    def train(name: str, recipe: str) -> Path:
        filled = recipe.format(model=model, tokenizer=tokenizer, seed=SEED)
        (place / f"{name}.toml").write_text(filled)
        data = ["--data", place / "train" / "all.jsonl", "--out", place / name]
        catok("train-lm", place / f"{name}.toml", *data, *DEVICE)
        return place / name / "model"

    return train


@pytest.fixture(scope="module")
def asr(train_lm) -> Path:
    """The folder of a trained recogniser."""
    return train_lm("asr", toy_models.ASR_RECIPE)


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
