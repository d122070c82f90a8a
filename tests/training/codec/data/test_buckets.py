import random

import pytest
import torch

from catok.training.codec.data import DataConfig, read_cuts

from .conftest import FRAME, RATE, equal, source

SETTINGS = {"mode": "buckets", "max_seconds": 2.0, "batch_seconds": 6.0, "num_buckets": 4}


@pytest.fixture(params=["eager", "lazy"])
def cuts(request, archives):
    from lhotse import CutSet

    lazy = read_cuts(archives)
    return lazy if request.param == "lazy" else CutSet(list(lazy))


def test_rows_are_whole_and_of_similar_length(cuts):
    drawn = source(cuts, **SETTINGS)
    spread = []
    for step in range(40):
        batch = drawn.batch(step)
        assert batch.audio.shape[2] % FRAME == 0
        assert 0 <= batch.audio.shape[2] - batch.lengths.max() < FRAME
        assert len(batch.lengths) * batch.lengths.max() <= 6.0 * RATE
        spread.append(float(batch.lengths.max() - batch.lengths.min()) / RATE)
        for length, edge, text in zip(batch.lengths, batch.band_edges, batch.texts, strict=True):
            index = int(edge) - 1000
            seconds = 0.3 + 0.1 * index
            assert length == round(min(seconds, 2.0) * RATE)
            assert text == (f"word {index}" if seconds <= 2.0 else None)
        for row, length in enumerate(batch.lengths):
            assert batch.audio[row, :, length:].eq(0).all()
    assert sum(spread) / len(spread) < 0.6


def test_buckets_resume_where_they_were(cuts):
    one = source(cuts, **SETTINGS)
    batches = [one.batch(step) for step in range(10)]
    state = one.state_dict()
    two = source(cuts, **SETTINGS)
    two.load_state_dict(state)
    assert all(equal(two.batch(step), batches[step]) for step in (7, 8, 9))
    assert equal(one.batch(10), two.batch(10))
    assert not equal(one.batch(0), source(cuts, **SETTINGS, seed=1).batch(0))


def test_ranks_take_turns(cuts):
    alone = source(cuts, **SETTINGS)
    batches = [alone.batch(step) for step in range(6)]
    pair = [source(cuts, **SETTINGS, rank=rank, world=2) for rank in range(2)]
    for step in range(3):
        one, two = (drawn.batch(step) for drawn in pair)
        assert not torch.equal(one.band_edges, two.band_edges)
        assert one.lengths.max() - two.lengths.max() < RATE
    assert batches[0].audio.shape[0] > 1


@pytest.mark.slow
def test_short_recordings_fill_a_batch_far_below_max_seconds(archives):
    settings = {**SETTINGS, "max_seconds": 100.0, "batch_seconds": 100.0, "shuffle_buffer": 500}
    drawn = source(read_cuts(archives), **settings)
    heard = [int(drawn.batch(step).lengths.sum()) / RATE for step in range(20)]
    assert sum(heard) / len(heard) > 60.0 and max(heard) <= 100.0


def test_pieces_of_the_longest_length_do_not_crowd_out_the_others():
    from catok.data.entry import Entry
    from catok.training.codec.data.buckets import bucket_lengths
    from catok.training.codec.data.cuts import make_cut

    config = DataConfig(mode="buckets", num_buckets=4)

    def cut(seconds):
        return make_cut(Entry(None, duration=seconds), "x", name=str(seconds))

    short = [cut(n / 10) for n in range(1, 60)]
    lengths = bucket_lengths([*short, *[cut(30.0)] * 100], config)
    assert len(lengths) == 4 and lengths[-1] == 30.0 and lengths[-2] < 6.0
    assert bucket_lengths(short[:1] * 9, config) == [0.1, 30.0]


def test_draws_do_not_touch_global_randomness(cuts):
    random.seed(3)
    expected = random.Random(3).random()
    source(cuts, **SETTINGS).batch(0)
    assert random.random() == expected
