"""`catok info` on files and models."""

import json

import pytest

from catok.cli import main
from catok.io.hub import EMBEDDED

from .test_pipes import fed


def facts(text: str) -> dict[str, str]:
    """The lines `key value` that are printed."""
    pairs = (line.split(maxsplit=1) for line in text.splitlines() if not line.startswith(" "))
    return {key: value for key, value in pairs}


def test_a_cat_file(catok, recording, saved_model, capsys):
    assert catok("encode", recording, "--quantizers", "4") == 0
    path = recording.with_suffix(".cat")
    assert main(["info", str(path)]) == 0
    told = facts(capsys.readouterr().out)
    assert told["model"] == "small" and told["weights"] == saved_model.weight_hash
    assert told["sample_rate"] == "24000 Hz" and told["codebooks"] == "4"
    assert told["samples"] == "31234" and told["frames"] == "17"
    assert told["bitrate"] == "300 bit/s"
    assert told["bytes"] == str(path.stat().st_size)

    assert main(["info", str(path), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["duration"] == 31_234 / 24_000
    assert data["measured_bitrate"] > data["bitrate"] == 300


def test_a_model(model_folder, saved_model, capsys):
    assert main(["info", str(model_folder), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    for part in ("encoder", "quantizer", "decoder"):
        parameters = getattr(saved_model, part).parameters()
        assert data[f"{part}_parameters"] == sum(p.numel() for p in parameters)
    assert data["total_parameters"] == sum(p.numel() for p in saved_model.parameters())
    assert data["weights"] == saved_model.weight_hash
    assert (data["frame_rate"], data["codebooks"], data["bitrate"]) == (12.5, 8, 600)
    assert data["dtype"] == "F32"
    assert data["encoder"][0] == "patch 240" and len(data["decoder"]) == 8
    assert data["fine_tuning_with"] == "nothing"

    assert main(["info", str(model_folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line[:20].rstrip() != line[:22] and line[20:22] == "  " for line in lines)
    assert facts("\n".join(lines))["bitrate"] == "600 bit/s"
    assert any(line.endswith("75 bit/s with 1 codebook(s)") for line in lines)


def test_what_a_model_brings_for_fine_tuning(capsys):
    assert main(["info", "tiny"]) == 0
    assert "discriminators" in facts(capsys.readouterr().out)["fine_tuning_with"]


def test_a_model_without_weights(model_folder, tmp_path, capsys):
    (tmp_path / "config.json").write_text((model_folder / "config.json").read_text())
    assert main(["info", str(tmp_path)]) == 0
    told = facts(capsys.readouterr().out)
    assert told["weights"] == told["dtype"] == "unknown"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tiny", {"kind": "an audio tokenizer"}),
        ("tiny-tts", {"kind": "a speech synthesis model", "tokenizer": "tiny", "codebooks": "12"}),
        (
            "tiny-asr",
            {"kind": "a speech recognition model", "timestamps": "yes"},
        ),
        (str(EMBEDDED / "tiny" / "discriminators"), {"periods": "2, 3, 5, 7, 11"}),
        (str(EMBEDDED / "tiny" / "semantic"), {"parameters": "1724736", "text": "bytes"}),
    ],
)
def test_every_embedded_folder_is_described(name, expected, capsys):
    assert main(["info", name]) == 0
    assert facts(capsys.readouterr().out).items() >= expected.items()


SHARDS = {
    "format": "parquet",
    "shard_size": 1000,
    "space": {
        "model": "tiny",
        "weight_hash": "0123456789abcdef",
        "dtype": "float32",
        "num_quantizers": 32,
        "codebook_size": 1024,
        "sample_rate": 24_000,
        "channels": 1,
        "frame_size": 1920,
        "version": "0",
    },
}


def test_tokens_runs_and_results_are_described(tmp_path, capsys):
    for name, text in {
        "tokens/tokens.jsonl": '{"codes": "a.cat"}\n{"codes": "b.cat"}\n',
        "run/last.pt": "",
        "run/log.jsonl": '{"step": 1}\n{"step": 20}\n',
        "run/model/config.json": "{}",
        "results/rows.jsonl": "{}\n{}\n{}\n",
        "shards/tokens.json": json.dumps(SHARDS),
        "results/run.json": '{"systems": [{"name": "tiny"}, {"name": "opus"}]}',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for name, expected in {
        "tokens": {"recordings": "2"},
        "shards": {"kind": "a folder of token shards", "tokenizer": "tiny", "shards": "0"},
        "run": {"logged_up_to_step": "20", "models": "model"},
        "results": {"rows": "3", "systems": "tiny, opus"},
    }.items():
        assert main(["info", str(tmp_path / name)]) == 0
        assert facts(capsys.readouterr().out).items() >= expected.items()
    assert main(["info", str(tmp_path)]) == 1
    assert "no folder of a kind that catok knows" in capsys.readouterr().err


def test_what_comes_through_a_pipe(catok, recording, stdin, tmp_path, capsys):
    assert catok("encode", recording) == 0
    path = recording.with_suffix(".cat")
    assert main(["info", str(path)]) == 0
    expected = facts(capsys.readouterr().out) | {"file": str(tmp_path / "pipe")}
    writer = fed(tmp_path / "pipe", path.read_bytes())
    assert main(["info", str(tmp_path / "pipe")]) == 0
    writer.join()
    assert facts(capsys.readouterr().out) == expected
    stdin(path.read_bytes())
    assert main(["info", "-"]) == 0
    assert facts(capsys.readouterr().out) == expected | {"file": "standard input"}


def test_an_embedded_model_is_called_by_its_name(recording, tmp_path, capsys):
    for command in (
        ["encode", recording, "--model", "tiny-tts"],
        ["asr", recording, "--model", "tiny"],
        ["tts", "Hi.", "-o", tmp_path / "x.wav", "--model", "tiny-asr"],
        ["finetune", "tiny-tts", "--data", tmp_path, "--out", tmp_path / "run"],
        ["finetune-lm", "tiny", "--data", tmp_path, "--out", tmp_path / "run"],
    ):
        assert main(list(map(str, command))) == 1
        error = capsys.readouterr().err
        assert "error: tiny" in error and str(EMBEDDED) not in error
