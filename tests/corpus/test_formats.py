"""Every format gives back the codes and columns that it was given."""

import numpy as np
import pytest

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
