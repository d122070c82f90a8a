"""The recipes of the language models load, have the paper's numbers, and the study runs."""

import json
from pathlib import Path

import pytest
import torch
from research.psd import run

from catok import save_audio
from catok.lm.config import TokenLMConfig
from catok.training.engine.recipe import read_recipe
from catok.training.lm.train_config import LMTrainConfig
from tests.lm.conftest import small_config

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "recipes" / "lm"
FILES = sorted(FOLDER.rglob("*.toml"))


def load(name: str) -> LMTrainConfig:
    return LMTrainConfig.from_dict(read_recipe(FOLDER / name))


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(FOLDER)))
def test_every_recipe_loads(file):
    config = LMTrainConfig.from_dict(read_recipe(file))
    model = TokenLMConfig.preset(config.architecture)
    assert len(config.channel_weights) in (0, model.channels)


@pytest.mark.parametrize("task", ["tts", "asr"])
def test_the_papers_numbers(task):
    config = load(f"{task}-1.7b.toml")
    assert config.task_names == (task,) and config.steps == 200_000
    assert config.optimizer.learning_rate == 2e-4
    assert config.sequence_dropout.probability == 1.0
    assert config.from_text_model == "Qwen/Qwen3-1.7B" and config.ctc.weight == 0
    assert 64 * config.data.rows_per_batch * config.accumulate == pytest.approx(1.35e6, rel=0.01)


def test_the_study_differs_in_dropout_only():
    full, none = (run.variant(run.RECIPE, name, 7, []).to_dict() for name in ("full", "none"))
    assert full.pop("sequence_dropout")["probability"] == 1.0
    assert none.pop("sequence_dropout")["probability"] == 0.0
    assert full == none and full["steps"] == 7


class Deaf:
    """A transcriber that always hears the same."""

    name = "deaf"

    def transcribe(self, audio, sample_rate, language=None):
        return "hello world"


def test_the_study_from_end_to_end(small_model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "build_transcriber", lambda name: Deaf())
    small_model.save_pretrained(tmp_path / "codec")
    config = small_config(n_vq=8, audio_vocab_size=64, audio_pad_code=64)
    (tmp_path / "model.json").write_text(json.dumps(config.to_dict()))
    lines = []
    for index, text in enumerate(("hello world", "hello", "good morning", "x" * 400)):
        draw = torch.Generator().manual_seed(index)
        save_audio(tmp_path / f"{index}.wav", torch.rand(1, 20_000, generator=draw) - 0.5, 24_000)
        facts = {"text": text, "language": "en", "speaker": "a"}
        lines.append(json.dumps({"audio": f"{index}.wav", **facts}))
    (tmp_path / "all.jsonl").write_text("\n".join(lines) + "\n")
    data, out = str(tmp_path / "all.jsonl"), tmp_path / "runs"
    command = ["--data", data, "--test", data, "--out", str(out), "--steps", "2", "--count", "2"]
    command += ["--valid", data, "--max-seconds", "0.4"]
    command += ["--metrics", "--set", f'architecture="{tmp_path}/model.json"', "channel_weights=[]"]
    command += [f'tokenizer="{tmp_path}/codec"', "autocast=false"]
    run.main(command)
    results = json.loads((out / "psd.json").read_text())
    assert [result["name"] for result in results] == ["full", "none"]
    for result in results:
        assert list(result["codebooks"]) == ["8", "4", "2", "1"]
        assert set(result["losses"]) == {"8", "4", "2", "1"}
        assert all(0 < loss < 10 for loss in result["losses"].values())
        assert all(s["utterances"] == 2 for s in result["codebooks"].values())
    rows = [json.loads(line) for line in (out / "none" / "rows.jsonl").open()]
    assert len(rows) == 8 and {row["text"] for row in rows} == {"hello world", "hello"}
    assert "| no dropout | 2 |" in (out / "psd.md").read_text()
    written = (out / "full" / "result.json").stat().st_mtime_ns
    run.main(command)
    assert (out / "full" / "result.json").stat().st_mtime_ns == written
    capsys.readouterr()
