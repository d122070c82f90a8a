import pytest
import torch

from catok.training.codec.data import read_cuts

from .conftest import audio_bytes, equal, levels, source, write_tar


def test_recordings_come_in_proportion_to_duration(archives):
    drawn = source(read_cuts(archives), batch_size=16)
    edges = torch.cat([drawn.batch(step).band_edges for step in range(100)]) - 1000
    seconds = 0.3 + 0.1 * torch.arange(24)
    share = torch.bincount(edges.long(), minlength=24) / len(edges)
    assert (share - seconds / seconds.sum()).abs().max() < 0.012


def test_a_stream_resumes_where_it_was(archives):
    one = source(read_cuts(archives))
    batches = [one.batch(step) for step in range(12)]
    assert not torch.equal(batches[0].audio, batches[1].audio)
    two = source(read_cuts(archives))
    two.load_state_dict(one.state_dict())
    assert equal(two.batch(9), batches[9]) and equal(two.batch(10), batches[10])
    assert equal(two.batch(2), batches[2]), "going back starts anew"
    assert equal(one.batch(-1), two.batch(-1))
    with pytest.raises(ValueError, match="as many ranks"):
        source(read_cuts(archives), world=2).load_state_dict(one.state_dict())


def test_ranks_read_their_own_shards(archives):
    cuts = read_cuts(archives)
    found = []
    for rank in range(2):
        drawn = source(cuts, rank=rank, world=2, shuffle_buffer=1, batch_size=1)
        found.append({int(drawn.batch(step).band_edges[0]) for step in range(10)})
    assert not found[0] & found[1]
    five = [source(cuts, rank=rank, world=5).batch(0) for rank in range(5)]
    assert len({batch.audio.sum().item() for batch in five}) == 5, "more ranks than shards"


def test_streams_are_mixed_by_weight(archives, corpus):
    pairs = [(read_cuts(archives, domain="tars"), 1.0), (read_cuts(corpus), 3.0)]
    edges = torch.cat([source(pairs).batch(step).band_edges for step in range(60)])
    from_tars = (edges >= 1000) & (edges < 1024)
    assert abs(from_tars.float().mean() - 0.25) < 0.07
    by_domain = source(pairs, domain_weights={"tars": 1.0, "music": 1.0})
    edges = torch.cat([by_domain.batch(step).band_edges for step in range(60)])
    assert abs(edges.isinf().float().mean() - 0.5) < 0.08 and not edges.eq(4000).any()
    with pytest.raises(ValueError, match=r"names .'noise'., but no recording"):
        source(pairs, domain_weights={"tars": 1.0, "noise": 1.0}).batch(0)
    with pytest.raises(ValueError, match="no recording passes"):
        source(read_cuts(archives), min_band_edge=9000.0).batch(0)


def test_damaged_shards_are_reported(tmp_path):
    good = {f"{i}.flac": audio_bytes(0.1, 1.0) for i in range(4)}
    path = write_tar(tmp_path / "x.tar", good)
    second = write_tar(tmp_path / "y.tar", good)
    second.write_bytes(second.read_bytes()[: second.stat().st_size // 2])
    third = tmp_path / "z.tar"
    third.write_bytes(b"no tar at all" * 100)
    drawn = source(read_cuts(tmp_path / "{x,y,z}.tar"))
    batches = [drawn.batch(step) for step in range(10)]
    assert (levels(batches) - 0.1).abs().max() < 1e-3
    assert {r.split(":")[0][-5:] for batch in batches for r in batch.skipped} >= {"z.tar"}
    assert path.exists()


def test_what_a_shard_has_lost_is_reported(tmp_path):
    path = write_tar(tmp_path / "x.tar", {f"{i}.wav": audio_bytes(0.1, 0.2) for i in range(9)})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole.rstrip(b"\0")) // 512 * 512 + 512])  # without its end
    drawn = source(read_cuts(path), crop_seconds=4.0, batch_size=2, shuffle_buffer=1)
    found = [line for step in range(10) for line in drawn.batch(step).skipped]
    assert len(found) == 1 and "it was cut off" in found[0]
