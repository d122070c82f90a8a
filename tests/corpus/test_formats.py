"""Every format gives back the codes and columns that it was given."""

import json

import numpy as np
import pytest
import torch

from catok.audio import load_audio
from catok.corpus import TokenizeConfig, tokenize
from catok.corpus.formats import FORMATS
from catok.corpus.token_row import CodeSpace, TokenRow

SPACE = CodeSpace("tiny", "3a5b83acee3da428", "float32", 8, 1024, 24_000, 1, 1920, "0.2.0")
DRAW = np.random.default_rng(0)
ROWS = [
    TokenRow(
        f"speaker.{n}/utt {n}",
        DRAW.integers(0, 1024, (frames, 8), dtype=np.uint16),
        frames * 1920 - n,
        {"text": "Grüße, 東京 \n", "speaker": f"s{n}", "score": n / 3, "tags": ["a", "b"]},
    )
    for n, frames in enumerate((3, 1, 700))
]
NAMES = sorted(FORMATS)


def shard(tmp_path, form):
    return tmp_path / f"shard-000000{form.suffix}"


@pytest.mark.parametrize("name", NAMES)
def test_round_trip(tmp_path, name):
    form = FORMATS[name]
    path = shard(tmp_path, form)
    form.write(path, ROWS, SPACE)
    assert form.space(path) == SPACE
    found = list(form.read(path))
    assert [row.id for row in found] == [row.id for row in ROWS]
    for row, original in zip(found, ROWS, strict=True):
        assert row.codes.dtype == np.uint16
        assert np.array_equal(row.codes, original.codes)
        assert row.samples == original.samples
        assert dict(row.columns) == dict(original.columns)


@pytest.mark.parametrize("name", NAMES)
def test_prefixes_are_read_alone(tmp_path, name):
    form = FORMATS[name]
    path = shard(tmp_path, form)
    form.write(path, ROWS, SPACE)
    for row, original in zip(form.read(path, 3), ROWS, strict=True):
        assert np.array_equal(row.codes, original.codes[:, :3])


@pytest.mark.parametrize("name", NAMES)
def test_equal_rows_give_equal_bytes(tmp_path, name):
    form = FORMATS[name]
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        form.write(shard(folder, form), ROWS, SPACE)
    files = [sorted(folder.iterdir()) for folder in folders]
    assert [f.name for f in files[0]] == [f.name for f in files[1]]
    for first, second in zip(*files, strict=True):
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_damage_is_a_value_error(tmp_path, name):
    form = FORMATS[name]
    path = shard(tmp_path, form)
    form.write(path, ROWS, SPACE)
    largest = max(tmp_path.iterdir(), key=lambda file: file.stat().st_size)
    largest.write_bytes(largest.read_bytes()[: largest.stat().st_size // 2])
    with pytest.raises(ValueError, match="shard-000000"):
        list(form.read(path))


def test_a_column_may_not_hide_what_shards_hold(tmp_path):
    row = TokenRow("a", ROWS[0].codes, 10, {"codes": "mine"})
    for form in FORMATS.values():
        with pytest.raises(ValueError, match="rename"):
            form.write(shard(tmp_path, form), [row], SPACE)


def test_columns_of_mixed_types_go_to_parquet_as_json(tmp_path):
    rows = [TokenRow(str(n), ROWS[0].codes, 10, {"x": x}) for n, x in enumerate((1, "a", None))]
    form = FORMATS["parquet"]
    form.write(shard(tmp_path, form), rows, SPACE)
    found = [row.columns.get("x") for row in form.read(shard(tmp_path, form))]
    assert found == ["1", '"a"', None]


def test_other_codes_are_not_mixed():
    other = CodeSpace.from_dict(SPACE.to_dict() | {"weight_hash": "0" * 16})
    with pytest.raises(ValueError, match="weight_hash '0000000000000000' instead of"):
        SPACE.check_same(other, "out")
    SPACE.check_same(CodeSpace.from_dict(SPACE.to_dict() | {"version": "9"}), "out")


MOSS = ("text", "instruction", "tokens", "quality", "sound_event", "ambient_sound", "language")


def read_as_moss_tts(line):
    """What moss_tts_delay/finetuning/dataset.py of OpenMOSS/MOSS-TTS reads, at 58b20a0."""
    codes = torch.as_tensor(line["audio_codes"], dtype=torch.long)  # [T, n_vq]
    assert codes.ndim == 2
    references = [line.get(key) for key in ("reference", "reference_audio", "ref_audio")]
    return codes, {key: line[key] for key in MOSS if line.get(key) is not None}, references


def read_as_qwen3_tts(line):
    """What finetuning/dataset.py of QwenLM/Qwen3-TTS reads, at 0c10f25."""
    codes = torch.tensor(line["audio_codes"], dtype=torch.long)  # [T, 16]
    codes[:, 0]
    return codes, line["audio"], line["text"], line["ref_audio"], line.get("language", "Auto")


def test_jsonl_has_the_keys_of_published_scripts(small_model, audio, tmp_path):
    line = {
        "audio": str(audio / "u1.wav"),
        "text": "What is said.",
        "language": "English",
        "ref_audio": str(audio / "u0.wav"),
        "instruction": "Speak low.",
    }
    (tmp_path / "list.jsonl").write_text(json.dumps(line))
    config = TokenizeConfig(format="jsonl", num_quantizers=6)
    tokenize(small_model, [tmp_path / "list.jsonl"], tmp_path / "out", config)
    (made,) = map(json.loads, (tmp_path / "out" / "shard-000000.jsonl").read_text().splitlines())
    samples, _ = load_audio(audio / "u1.wav", sample_rate=24_000)
    expected = small_model.encode(samples[None], num_quantizers=6).codes[0].T
    codes, fields, references = read_as_moss_tts(made)
    assert torch.equal(codes, expected)
    assert fields == {key: line[key] for key in ("text", "instruction", "language")}
    assert references == [None, None, line["ref_audio"]]
    codes, *fields = read_as_qwen3_tts(made)
    assert torch.equal(codes, expected)
    assert fields == [line[key] for key in ("audio", "text", "ref_audio", "language")]
