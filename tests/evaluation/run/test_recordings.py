"""Which recordings a folder or manifest lists, and which are chosen."""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok import load_audio
from catok.evaluation.run.evaluate import evaluate
from catok.evaluation.run.recordings import (
    EvalRecording,
    Selection,
    read_recordings,
    select_recordings,
)

from .fakes import evaluation, noise


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
        {"audio": "x.wav", "mood": "not needed"},
        {"audio": "gone.wav", "duration": 2, "domain": "music", "text": "la", "language": "en"},
    ]
    lines[1] |= {"band_edge": 8000, "corpus": "c", "speaker": "s"}
    (tmp_path / "m.jsonl").write_text("\n\n".join(map(json.dumps, lines)))
    first, second = read_recordings(tmp_path / "m.jsonl")
    assert first == EvalRecording("x.wav", tmp_path / "x.wav", 0.6)
    gone = tmp_path / "gone.wav"
    assert second == EvalRecording("gone.wav", gone, 2.0, "music", "en", "la", 8000.0, "c", "s")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"audio": "x.wav", "duration": 1}\n{"duration": 1}\n', "line 2"),
        ("[1]\n", "line 1"),
        ('{"audio": "x.wav", "duration": 1}\n' * 2, "lists x.wav 2 times"),
        ("\n", "lists no recordings"),
        ('{"codes": "x.cat"}\n', "codes and no audio"),
        ('{"audio": "x.wav", "source": "c"}\n', 'line 1: .*write "corpus"'),
        ('{"audio": "x.wav", "langauge": "en"}\n', "'language' is meant"),
    ],
)
def test_malformed_manifests(tmp_path, content, message):
    (tmp_path / "m.jsonl").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_recordings(tmp_path / "m.jsonl")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("corpus", 1089), ("language", 5), ("domain", 5), ("text", ["a"]), ("duration", 10**400)),
        *(("band_edge", float("nan")), ("band_edge", "8k"), ("duration", -1), ("domain", {})),
    ],
)
def test_ill_typed_values_are_found_before_anything_is_scored(tmp_path, key, value):
    noise(tmp_path, "x.wav")
    lines = [{"audio": "x.wav"}, {"audio": "y.wav", key: value}]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(ValueError, match=r"m\.jsonl, line 2"):
        evaluate(evaluation(tmp_path / "m.jsonl", "gain:0.5"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_parts_of_a_file(tmp_path):
    noise(tmp_path, "x.wav", 3.0)
    lines = [
        {"audio": "x.wav", "offset": 0.5, "duration": 1},
        {"audio": "x.wav", "offset": 2, "id": "end"},
        {"audio": "x.wav", "offset": 9, "duration": 1},
    ]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    first, second, third = read_recordings(tmp_path / "m.jsonl")
    assert (first.key, first.seconds, second.key, second.seconds) == ("x.wav@0.5", 1, "end", 1)
    whole, _ = load_audio(tmp_path / "x.wav")
    assert torch.equal(first.load()[0], whole[:, 500:1500])
    assert torch.equal(second.load()[0], whole[:, 2000:])
    with pytest.raises(ValueError, match="ends before 9 s"):
        third.load()


def test_names_that_are_not_utf8(tmp_path):
    noise(tmp_path, "x.wav")
    name = os.fsencode(tmp_path) + b"/caf\xe9.wav"
    os.rename(tmp_path / "x.wav", name)
    (recording,) = select_recordings(read_recordings(tmp_path), Selection())
    assert recording.key == "caf\\udce9.wav" and recording.path.exists()
    assert recording.stem.isprintable()


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
KEYS = ("audio", "duration", "offset", "domain", "language", "text", "band_edge", "corpus", "id")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES), max_size=3) | st.binary())
def test_any_manifest_is_read_or_refused(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("m") / "m.jsonl"
    text = lines if isinstance(lines, bytes) else "\n".join(map(json.dumps, lines)).encode()
    path.write_bytes(text)
    with suppress(ValueError):
        for recording in select_recordings(read_recordings(path), Selection()):
            assert recording.key.encode() and "/" not in recording.stem


def test_a_missing_path(tmp_path):
    with pytest.raises(ValueError, match="check the path"):
        read_recordings(tmp_path / "nowhere")


RECORDINGS = st.lists(
    st.builds(
        lambda n, seconds, domain: EvalRecording(f"{n}.wav", Path(f"{n}.wav"), seconds, domain),
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
    chosen = select_recordings(recordings, selection)
    shuffled = random.sample(recordings, len(recordings))
    assert select_recordings(shuffled, selection) == chosen
    everything = select_recordings(recordings, Selection(seed=seed))
    assert sorted(r.key for r in everything) == sorted(r.key for r in recordings)
    by_domain = {d: [r for r in everything if r.domain == d] for d in ("speech", "music")}
    kept = [r for r in everything if r in by_domain[r.domain][:per_domain]]
    assert chosen == kept[:limit]


def test_seed_0_orders_by_the_sha1_of_the_name():
    recordings = [EvalRecording(f"d/{n}.wav", Path(f"d/{n}.wav"), 1.0) for n in range(20)]
    names = [r.path.name for r in select_recordings(recordings, Selection())]
    assert names == sorted(names, key=lambda n: hashlib.sha1(n.encode()).hexdigest())
    assert names != [r.path.name for r in select_recordings(recordings, Selection(seed=1))]


def test_lengths_limit_the_choice_but_unreadable_files_stay():
    lengths = {"a": 0.5, "b": 1.0, "c": 2.0, "d": 3.0, "e": None}
    recordings = [EvalRecording(k, Path(k), s) for k, s in lengths.items()]
    chosen = select_recordings(recordings, Selection(min_seconds=1, max_seconds=2))
    assert {r.key for r in chosen} == {"b", "c", "e"}
    with pytest.raises(ValueError, match="min_seconds"):
        select_recordings(recordings[:4], Selection(min_seconds=9))
    with pytest.raises(ValueError, match="swap"):
        Selection(min_seconds=2, max_seconds=1)
    with pytest.raises(ValueError, match="at least 1"):
        Selection(limit=0)


def test_stems_are_file_names_of_their_own():
    stems = {EvalRecording(k, Path(k), 1.0).stem for k in ("a/x.wav", "b/x.wav", "x.flac")}
    assert len(stems) == 3
    assert all("/" not in stem and stem.startswith("x-") for stem in stems)
