"""`catok tokenize`: arguments, exit codes and what is said; the work itself in tests/corpus."""

import json

import numpy as np
import pytest
import soundfile

from catok.cli import main
from catok.cli.errors import UsageError
from catok.cli.tokenize import parse_shard
from catok.corpus import TokenDataset


@pytest.fixture
def corpus(tmp_path):
    """Two recordings of 0.3 and 0.5 s, and one that is none."""
    folder = tmp_path / "speech"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for name, seconds in (("a", 0.3), ("b", 0.5)):
        audio = 0.1 * draw.standard_normal(int(24_000 * seconds))
        soundfile.write(folder / f"{name}.wav", audio, 24_000)
    (folder / "c.wav").write_bytes(b"nothing")
    return folder


@pytest.fixture
def model(small_model, tmp_path):
    small_model.save_pretrained(tmp_path / "model")
    return str(tmp_path / "model")


def test_a_corpus_becomes_shards(corpus, model, tmp_path, capsys):
    out = tmp_path / "tokens"
    arguments = [str(corpus), "-o", str(out), "--model", model, "--device", "cpu"]
    assert main(["tokenize", *arguments, "--quantizers", "4", "--format", "jsonl"]) == 1
    said = capsys.readouterr().err
    assert "encoded 2 of 3 recordings" in said
    assert "1 failed, see" in said
    assert "hours per hour" in said
    assert [row["id"] for row in TokenDataset(out)] == ["a", "b"]
    assert TokenDataset(out).space.num_quantizers == 4
    assert json.loads((out / "failed.jsonl").read_text())["id"] == "c"
    again = [*arguments, "--quantizers", "4", "--format", "jsonl"]
    assert main(["tokenize", *again]) == 1
    assert "1 failed before: --retry-failed" in capsys.readouterr().err
    (corpus / "c.wav").unlink()
    assert main(["tokenize", *again, "-q"]) == 0
    assert capsys.readouterr().err == ""
    assert not (out / "failed.jsonl").exists()


def test_too_many_failures_end_the_run(corpus, model, tmp_path, capsys):
    arguments = [str(corpus), "-o", str(tmp_path / "tokens"), "--model", model]
    assert main(["tokenize", *arguments, "--max-failures", "0"]) == 1
    assert "1 recordings failed, the last c" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text, environment, shard",
    [
        (None, {"RANK": "1", "WORLD_SIZE": "2"}, (0, 1)),
        ("1/4", {}, (0, 4)),
        ("4/4", {}, (3, 4)),
        ("auto", {"RANK": "1", "WORLD_SIZE": "2"}, (1, 2)),
        (
            "auto",
            {
                "SLURM_ARRAY_TASK_ID": "7",
                "SLURM_ARRAY_TASK_MIN": "3",
                "SLURM_ARRAY_TASK_STEP": "2",
                "SLURM_ARRAY_TASK_COUNT": "5",
            },
            (2, 5),
        ),
    ],
)
def test_shards(text, environment, shard):
    assert parse_shard(text, environment) == shard


@pytest.mark.parametrize("text", ["auto", "0/4", "5/4", "x", "1", "1/0"])
def test_shards_that_are_none(text):
    with pytest.raises(UsageError):
        parse_shard(text, {})


@pytest.mark.parametrize(
    "options", [[], ["x", "--actors", "2"], ["x", "--ray", "local", "--shard", "1/2"]]
)
def test_options_that_do_not_go_together(options, tmp_path, capsys):
    assert main(["tokenize", *options, "-o", str(tmp_path / "out")]) == 2
    assert "catok: error:" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("workers", ["0", "1"])
def test_what_is_not_whole_is_counted_and_what_is_gone_said_plainly(
    corpus, model, tmp_path, capsys, workers
):
    whole = (corpus / "b.wav").read_bytes()
    (corpus / "b.wav").write_bytes(whole[:-4000])
    lines = [json.dumps({"audio": f"{name}.wav"}) for name in ("a", "b", "gone")]
    (corpus / "list.jsonl").write_text("\n".join(lines) + "\n")
    out = tmp_path / "tokens"
    arguments = [str(corpus / "list.jsonl"), "-o", str(out), "--model", model]
    assert main(["tokenize", *arguments, "--workers", workers]) == 1
    said = capsys.readouterr().err
    assert said.count(f"catok: warning: {corpus}/b.wav: it is cut short") == 1
    assert "recordings not read whole: 1" in said.splitlines()[-1]
    failed = json.loads((out / "failed.jsonl").read_text())
    assert failed["reason"] == "no such file or directory" and failed["audio"].endswith("gone.wav")
