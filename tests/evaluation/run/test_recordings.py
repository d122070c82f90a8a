"""Which recordings a folder or manifest lists, and which are chosen."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catok.evaluation.run.recordings import Recording, Selection, choose, read_recordings

from .fakes import noise


def test_a_folder(tmp_path):
    (tmp_path / "a").mkdir()
    noise(tmp_path / "a", "x.flac", 0.7)
    noise(tmp_path, "y.wav", 0.6)
    (tmp_path / "broken.wav").write_bytes(b"RIFF, or so they say")
    (tmp_path / ".hidden.wav").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no audio")
    found = {r.key: r.seconds for r in read_recordings(tmp_path)}
    assert found == {"a/x.flac": 0.7, "y.wav": 0.6, "broken.wav": None}


def test_a_manifest(tmp_path):
    noise(tmp_path, "x.wav", 0.6)
    lines = [
        {"audio": "x.wav", "speaker": "not needed"},
        {"audio": "gone.wav", "duration": 2, "domain": "music", "text": "la", "language": "en"},
    ]
    lines[1] |= {"band_edge": 8000, "source": "corpus"}
    (tmp_path / "m.jsonl").write_text("\n\n".join(map(json.dumps, lines)))
    first, second = read_recordings(tmp_path / "m.jsonl")
    assert first == Recording("x.wav", tmp_path / "x.wav", 0.6)
    gone = tmp_path / "gone.wav"
    assert second == Recording("gone.wav", gone, 2.0, "music", "en", "la", 8000.0, "corpus")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"audio": "x.wav", "duration": 1}\n{"duration": 1}\n', "line 2"),
        ("[1]\n", "line 1"),
        ('{"audio": "x.wav", "duration": 1}\n' * 2, "lists x.wav 2 times"),
        ("\n", "lists no audio"),
    ],
)
def test_malformed_manifests(tmp_path, content, message):
    (tmp_path / "m.jsonl").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_recordings(tmp_path / "m.jsonl")


def test_a_missing_path(tmp_path):
    with pytest.raises(ValueError, match="check the path"):
        read_recordings(tmp_path / "nowhere")


RECORDINGS = st.lists(
    st.builds(
        lambda n, seconds, domain: Recording(f"{n}.wav", Path(f"{n}.wav"), seconds, domain),
        st.integers(0, 999),
        st.one_of(st.none(), st.floats(0.1, 30)),
        st.sampled_from(["speech", "music"]),
    ),
    unique_by=lambda r: r.key,
    min_size=1,
)


@given(RECORDINGS, st.integers(1, 9), st.integers(1, 9), st.randoms(), st.integers(0, 2))
def test_the_choice_depends_on_names_alone(recordings, limit, per_domain, random, seed):
    selection = Selection(limit, per_domain, seed=seed)
    chosen = choose(recordings, selection)
    shuffled = random.sample(recordings, len(recordings))
    assert choose(shuffled, selection) == chosen
    everything = choose(recordings, Selection(seed=seed))
    assert sorted(r.key for r in everything) == sorted(r.key for r in recordings)
    by_domain = {d: [r for r in everything if r.domain == d] for d in ("speech", "music")}
    kept = [r for r in everything if r in by_domain[r.domain][:per_domain]]
    assert chosen == kept[:limit]


def test_seed_0_orders_by_the_sha1_of_the_name():
    recordings = [Recording(f"d/{n}.wav", Path(f"d/{n}.wav"), 1.0) for n in range(20)]
    names = [r.path.name for r in choose(recordings, Selection())]
    assert names == sorted(names, key=lambda n: hashlib.sha1(n.encode()).hexdigest())
    assert names != [r.path.name for r in choose(recordings, Selection(seed=1))]


def test_lengths_limit_the_choice_but_unreadable_files_stay():
    lengths = {"a": 0.5, "b": 1.0, "c": 2.0, "d": 3.0, "e": None}
    recordings = [Recording(k, Path(k), s) for k, s in lengths.items()]
    chosen = choose(recordings, Selection(min_seconds=1, max_seconds=2))
    assert {r.key for r in chosen} == {"b", "c", "e"}
    with pytest.raises(ValueError, match="min_seconds"):
        choose(recordings[:4], Selection(min_seconds=9))
    with pytest.raises(ValueError, match="swap"):
        Selection(min_seconds=2, max_seconds=1)
    with pytest.raises(ValueError, match="at least 1"):
        Selection(limit=0)


def test_stems_are_file_names_of_their_own():
    stems = {Recording(k, Path(k), 1.0).stem for k in ("a/x.wav", "b/x.wav", "x.flac")}
    assert len(stems) == 3
    assert all("/" not in stem and stem.startswith("x-") for stem in stems)
