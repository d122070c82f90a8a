"""Reading shards: every row once, in any format, by any number of readers, from any place."""

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader

from catok.corpus import TokenDataset, TokenizeConfig, convert, token_stats, tokenize
from catok.corpus.formats import FORMATS
from catok.corpus.ledger import TokenFolder


@pytest.fixture(scope="module")
def tokens(small_model, tmp_path_factory):
    """Eleven recordings in four shards, and one failure."""
    root = tmp_path_factory.mktemp("corpus")
    draw = np.random.default_rng(0)
    for number in range(11):
        audio = 0.1 * draw.standard_normal((2000 + 700 * number, 1))
        soundfile.write(root / f"{number:02d}.wav", audio, 24_000)
        (root / f"{number:02d}.txt").write_text(f"text {number}")
    (root / "bad.wav").write_bytes(b"none")
    out = root / "tokens"
    tokenize(small_model, [root], out, TokenizeConfig(shard_size=3, rows=3, frames=2))
    return out


def ids(rows):
    return [row["id"] for row in rows]


ALL = [f"{number:02d}" for number in range(11)]


def test_rows_are_codes_and_columns(tokens, small_model):
    data = TokenDataset(tokens)
    rows = list(data)
    assert ids(rows) == ALL
    assert len(data) == 11
    assert rows[3]["text"] == "text 3"
    assert rows[3]["codes"].dtype == torch.int64
    assert rows[3]["codes"].shape == (8, 3)
    assert rows[3]["num_samples"] == 4100
    assert data.space.weight_hash == small_model.weight_hash


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_every_format_converts_and_reads_prefixes(tokens, tmp_path, form):
    out = tmp_path / form
    convert(tokens, out, form)
    for row, original in zip(TokenDataset(out, 3), TokenDataset(tokens), strict=True):
        assert torch.equal(row["codes"], original["codes"][:3])
        assert row["text"] == original["text"]
    back = tmp_path / "back"
    convert(out, back, "parquet")
    for path in sorted(tokens.glob("shard-*")):
        assert (back / path.name).read_bytes() == path.read_bytes()
    assert (back / "failed.jsonl").read_text() == (tokens / "failed.jsonl").read_text()


@pytest.mark.parametrize("shuffle", [False, True])
def test_ranks_and_workers_share_the_rows(tokens, shuffle):
    found = []
    for rank in range(2):
        data = TokenDataset(tokens, shuffle=shuffle, rank=rank, world=2)
        found += ids(DataLoader(data, batch_size=None, num_workers=2))
    assert sorted(found) == ALL


@pytest.mark.parametrize("workers", [0, 2])
def test_a_rank_has_the_same_rows_with_any_number_of_workers(tokens, workers):
    counts = []
    for rank in range(2):
        data = TokenDataset(tokens, rank=rank, world=2)
        rows = ids(DataLoader(data, batch_size=None, num_workers=workers))
        assert sorted(rows) == ALL[rank::2]
        counts.append((len(rows), len(data)))
    assert counts == [(6, 6), (5, 5)]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_pass_that_was_broken_off_takes_nothing_from_the_next(tokens, workers):
    data = TokenDataset(tokens)
    for _ in zip(range(4), data, strict=False):
        pass
    assert sorted(ids(DataLoader(data, batch_size=None, num_workers=workers))) == ALL


def test_set_epoch_shuffles_anew_in_worker_processes(tokens):
    data = TokenDataset(tokens, shuffle=True)
    orders = []
    for epoch in range(2):
        data.set_epoch(epoch)
        orders.append(ids(DataLoader(data, batch_size=None, num_workers=1)))
    alone = TokenDataset(tokens, shuffle=True)
    assert orders == [ids(alone), ids(alone)]
    assert orders[0] != orders[1]


def test_set_epoch_of_a_pass_under_way_keeps_its_place(tokens):
    data = TokenDataset(tokens)
    data.load_state_dict({"epoch": 2, "rows": 9})
    data.set_epoch(2)
    assert ids(data) == ALL[9:]
    data.load_state_dict({"epoch": 2, "rows": 9})
    data.set_epoch(3)
    assert ids(data) == ALL


def test_workers_go_on_from_a_state(tokens):
    data = TokenDataset(tokens)
    data.load_state_dict({"epoch": 0, "rows": 4})
    assert sorted(ids(DataLoader(data, batch_size=None, num_workers=2))) == ALL[4:]


def test_passes_differ_and_a_seed_gives_them_again(tokens):
    data = TokenDataset(tokens, shuffle=True, seed=1)
    first, second = ids(data), ids(data)
    assert first != second
    assert sorted(first) == sorted(second) == ALL
    again = TokenDataset(tokens, shuffle=True, seed=1)
    assert [ids(again), ids(again)] == [first, second]


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("done", [0, 2, 5])
def test_a_pass_goes_on_where_it_was(tokens, rank, done):
    def data():
        return TokenDataset(tokens, shuffle=True, seed=3, rank=rank, world=2)

    whole = ids(data())
    stopped = data()
    rows = iter(stopped)
    for _ in range(done):
        next(rows)
    resumed = data()
    resumed.load_state_dict(stopped.state_dict())
    assert ids(resumed) == whole[done:]
    assert ids(resumed) != whole[done:]  # the next pass


def test_what_is_asked_for_must_be_there(tokens, tmp_path):
    with pytest.raises(ValueError, match="holds 8 codebooks, not 9"):
        TokenDataset(tokens, 9)
    with pytest.raises(ValueError, match="rank"):
        TokenDataset(tokens, rank=2, world=2)
    with pytest.raises(ValueError):
        TokenDataset(tmp_path)
    with pytest.raises(ValueError, match="no format 'zip'"):
        convert(tokens, tmp_path / "x", "zip")


def test_figures(tokens):
    stats = token_stats(tokens)
    assert (stats.rows, stats.failures) == (11, 1)
    assert stats.hours == pytest.approx(sum(2000 + 700 * n for n in range(11)) / 24_000 / 3600)
    folder = TokenFolder.open(tokens)
    codes = np.concatenate(
        [row.codes for i, _ in folder.entries() for row in folder.format.read(folder.shard(i))]
    )
    shares = np.unique(codes[:, 2], return_counts=True)[1] / len(codes)
    assert stats.perplexity[2] == pytest.approx(np.exp2(-(shares * np.log2(shares)).sum()))
    assert stats.bytes == sum(path.stat().st_size for path in tokens.glob("shard-*"))
