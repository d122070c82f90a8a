import pytest
import torch

from catok import save_audio
from catok.training.codec.data import read_cuts

from .conftest import RATE, equal, levels, source, tone, write_lines


def test_a_batch_depends_on_seed_and_step_only(corpus):
    one, two = source(read_cuts(corpus)), source(read_cuts(corpus))
    one.batch(3)
    assert equal(one.batch(7), two.batch(7)) and equal(one.batch(-1), two.batch(-1))
    assert not torch.equal(one.batch(7).audio, one.batch(8).audio)
    assert not torch.equal(one.batch(7).audio, source(read_cuts(corpus), seed=1).batch(7).audio)
    assert one.batch(0).audio.shape == (8, 1, 5 * 1920)
    assert one.state_dict() == {} and one.load_state_dict({}) is None


def test_two_ranks_draw_the_rows_of_one(corpus):
    cuts = read_cuts(corpus)
    whole = source(cuts, batch_size=8).batch(5)
    halves = [source(cuts, batch_size=4, rank=rank, world=2).batch(5) for rank in range(2)]
    assert torch.equal(whole.audio, torch.cat([half.audio for half in halves]))
    assert whole.texts == halves[0].texts + halves[1].texts


def test_short_recordings_are_completed_with_silence(corpus):
    drawn, seen = source(read_cuts(corpus)), set()
    for step in range(40):
        batch = drawn.batch(step)
        seen |= set(batch.lengths.tolist())
        for row, length in enumerate(batch.lengths):
            assert batch.audio[row, :, :length].ne(0).all()
            assert batch.audio[row, :, length:].eq(0).all()
    assert seen == {1200, 9600}


def test_domains_are_drawn_by_their_weights(corpus):
    cuts = read_cuts(corpus)
    weighted = source(cuts, domain_weights={"speech": 1.0, "music": 3.0})
    edges = torch.cat([weighted.batch(step).band_edges for step in range(60)])
    assert 0.68 < edges.isinf().float().mean() < 0.82
    only = source(cuts, domain_weights={"music": 1.0})
    assert only.batch(0).band_edges.isinf().all() and list(only.hours) == ["music"]


def test_corpora_are_drawn_by_their_weights(tmp_path):
    corpora = []
    for level, seconds, weight in ((0.1, 3.0, 1.0), (0.2, 0.5, 3.0)):
        folder = tmp_path / str(level)
        folder.mkdir()
        save_audio(folder / "x.wav", tone(level, seconds), RATE)
        corpora.append((read_cuts(folder), weight))
    for expected, pairs in ((0.75, corpora), (1 / 7, [(cuts, None) for cuts, _ in corpora])):
        drawn = source(pairs)
        share = (levels(drawn.batch(step) for step in range(60)) > 0.15).float().mean()
        assert abs(share - expected) < 0.08
    with pytest.raises(ValueError, match="every corpus a weight"):
        source([(corpora[0][0], None), corpora[1]])


def test_narrow_recordings_can_be_left_out(corpus):
    assert source(read_cuts(corpus), min_band_edge=5000.0).batch(0).band_edges.isinf().all()


def test_nothing_to_draw(corpus):
    cuts = read_cuts(corpus)
    with pytest.raises(
        ValueError, match=r"names .'noise'., but no recording.*--set data.domain_weights=\{\}"
    ):
        source(cuts, domain_weights={"noise": 1.0, "speech": 1.0})
    with pytest.raises(ValueError, match="no recording passes"):
        source(cuts, min_band_edge=5000.0, domain_weights={"speech": 1.0})
    with pytest.raises(ValueError, match="give a corpus"):
        source([])


def test_other_rates_and_channels_are_converted(tmp_path):
    save_audio(tmp_path / "x.wav", torch.full((2, 44_100), 0.1), 44_100)
    crop = source(read_cuts(tmp_path)).batch(0).audio
    assert crop.shape == (8, 1, 5 * 1920)
    assert (crop[..., 200:-200] - 0.1).abs().max() < 1e-3


def test_tasks_reach_the_batch(corpus):
    line = {"audio": "a.wav", "duration": 2.0, "text": "a tone", "task": "caption"}
    cuts = read_cuts(write_lines(corpus.parent / "captions.jsonl", [line]))
    batch = source(cuts, crop_seconds=2.0).batch(0)
    assert set(batch.tasks) == {"caption"} and set(batch.texts) == {"a tone"}
    assert set(source(cuts).batch(0).texts) == {None}, "a crop lost some of its words"
