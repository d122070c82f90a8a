"""The keys of a list, checked once for all who read lists."""

from pathlib import Path

import pytest

from catok.data.entry import parse_entry
from catok.data.manifest import read_manifest


def entry(**keys):
    return parse_entry({"audio": "a.wav"} | keys, Path("data"), 3)


@pytest.mark.parametrize("key", ["audio", "audio_filepath", "audio_path"])
def test_audio_goes_by_several_names(key):
    found = parse_entry({key: "x/a.wav"}, Path("data"))
    assert (found.audio, found.name) == (Path("data/x/a.wav"), "x/a.wav")


def test_all_that_is_known():
    found = entry(
        offset=0.5, duration=2, text="Hi.", lang="en", speaker="s", domain="speech", corpus="c",
        task="asr", band_edge=4000, id=7, snr=[1], texts=["x"], weights=1.0,
    )  # fmt: skip
    assert (found.offset, found.duration, found.text, found.language) == (0.5, 2.0, "Hi.", "en")
    assert (found.speaker, found.domain, found.corpus, found.task) == ("s", "speech", "c", "asr")
    assert (found.band_edge, found.id, found.line, found.weights) == (4000.0, "7", 3, None)
    assert found.extra == {"snr": [1], "texts": ["x"]}
    assert entry().offset is None and entry(offset=0).offset == 0.0


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("ofset", "offset"),
        ("offest", "offset"),
        ("Duration", "duration"),
        ("duratoin", "duration"),
        ("band-edge", "band_edge"),
        ("speeker", "speaker"),
        ("tetx", "text"),
        ("langauge", "language"),
    ],
)
def test_a_misspelt_key_is_not_passed_over(wrong, meant):
    with pytest.raises(ValueError, match=f"'{wrong}': '{meant}' is meant"):
        entry(**{wrong: 1})
    right = {"text": "x", "speaker": "x", "language": "x"}.get(meant, 1)
    assert entry(**{wrong: 1, meant: right}).extra == {wrong: 1}, (
        "beside the right one it is another"
    )


@pytest.mark.parametrize(
    "key", ["test", "ext", "code", "start", "texts", "speaker_id", "idx", "snr"]
)
def test_other_columns_travel(key):
    assert entry(**{key: 1}).extra == {key: 1}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"duration": 1e305}, "duration must be"),
        ({"duration": 10**400}, "duration must be a finite number"),
        ({"duration": 1e9}, "up to 1e"),
        ({"duration": 0}, "positive"),
        ({"duration": True}, "must be a number"),
        ({"duration": "2"}, "must be a number"),
        ({"offset": -1}, "offset must be"),
        ({"offset": float("nan")}, "finite"),
        ({"band_edge": float("nan")}, "finite"),
        ({"band_edge": -1}, "positive Hz"),
        ({"text": 5}, "text must be a string"),
        ({"corpus": 5}, "corpus must be a string"),
        ({"source": "me"}, 'write "corpus" or, for the voice, "speaker"'),
        ({"language": 5}, "language must be a string"),
        ({"text": "\ud800"}, "surrogate"),
        ({"audio": "a\0b"}, "the path of a file"),
        ({"audio": ""}, "the path of a file"),
        ({"audio_path": "b.wav"}, "different things"),
        ({"codes": "a.cat", "frames": -1}, "whole number"),
    ],
)
def test_values_that_cannot_be(keys, said):
    with pytest.raises(ValueError, match=said):
        entry(**keys)


def test_a_manifest_names_file_and_line(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text('{"audio": "a.wav"}\n\n{"audoi": "b.wav"}\n')
    with pytest.raises(ValueError, match=r"m.jsonl, line 3: needs .*is 'audoi' meant"):
        list(read_manifest(path))
    path.write_text('{"audio": "a.wav"}\n\n{"codes": "b.cat", "frames": 3, "weights": "ab"}\n')
    first, second = read_manifest(path)
    assert first.audio == tmp_path / "a.wav" and first.line == 1
    assert (second.codes, second.frames, second.weights, second.line) == (
        tmp_path / "b.cat", 3, "ab", 3,
    )  # fmt: skip
    path.write_text("\n")
    with pytest.raises(ValueError, match="lists no recordings"):
        list(read_manifest(path))
