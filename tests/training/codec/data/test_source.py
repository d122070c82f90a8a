from functools import partial

import pytest

from catok.training.codec.data import check_text, read_cuts
from catok.training.engine.prefetch import prefetch

from .conftest import equal, source, write_lines


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["crops", "buckets"])
@pytest.mark.parametrize("kind", ["eager", "lazy"])
def test_prefetched_batches_are_those_of_the_steps(corpus, archives, mode, kind):
    path = corpus if kind == "eager" else archives
    settings = {"mode": mode, "num_buckets": 2, "max_seconds": 4.0, "batch_seconds": 8.0}
    direct = [source(read_cuts(path), **settings).batch(step) for step in (2, 3, 4, 5, 6)]
    for workers in (0, 1, 2):
        batches = source(read_cuts(path), **settings)
        requests = (partial(batches.read, batches.requests(step)) for step in range(2, 7))
        ahead = list(prefetch(requests, workers))
        assert len(ahead) == 5 and all(map(equal, ahead, direct))


def test_hours_are_known_for_recordings_in_memory(corpus, archives):
    hours = source(read_cuts(corpus)).hours
    assert hours == pytest.approx({"speech": 2.05 / 3600, "music": 1 / 3600})
    assert source(read_cuts(archives)).hours == {}


def test_a_rank_must_exist(corpus):
    with pytest.raises(ValueError, match="rank 2 is not one of 2"):
        source(read_cuts(corpus), rank=2, world=2)


def test_text_must_be_somewhere_if_it_is_needed(archives, tmp_path):
    lines = [{"audio": "x.wav", "duration": 1.0}, {"audio": "y.wav", "duration": 1.0, "text": "z"}]
    mute = read_cuts(write_lines(tmp_path / "mute.jsonl", lines[:1]))
    some = read_cuts(write_lines(tmp_path / "some.jsonl", lines))
    check_text([(mute, None), (some, None)])
    check_text([(mute, None), (read_cuts(archives), None)])  # who streams may find some
    check_text([])
    with pytest.raises(ValueError, match="give manifests with"):
        check_text([(mute, None), (mute, None)])
