"""Which members of an archive belong together, and what is told of those that do not."""

import json

import pytest

from catok.data.webdataset import read_samples


def samples(path):
    """(name, audio's name, text) of what can be used, and the complaints."""
    good, bad = [], []
    for entry, audio in read_samples(path):
        name = entry.name.removeprefix(f"{path}/")
        if audio is None or entry.error:
            bad.append((name, entry.error))
        else:
            good.append((name, audio.name, entry.text))
    return good, bad


def test_names_end_at_their_last_dot(pack):
    files = [(f"spk1.{i:04}.wav", b"w") for i in range(3)] + [("spk1.0001.txt", b"one")]
    assert samples(pack(*files)) == (
        [(f"spk1.{i:04}", f"spk1.{i:04}.wav", "one" if i == 1 else None) for i in range(3)],
        [],
    )


def test_members_need_not_be_neighbors(pack):
    files = [("a.wav", b""), ("b.wav", b""), ("b.txt", b"B"), ("a.json", b'{"text": "A"}')]
    assert samples(pack(*files))[0] == [("a", "a.wav", "A"), ("b", "b.wav", "B")]


def test_a_shorter_name_belongs_to_the_only_one_that_goes_on_from_it(pack):
    path = pack(
        ("d.1/a.16k.wav", b""), ("d.1/a.txt", b"A"), ("d.1/b.WAV", b""), ("d.1/b.TXT", b"B")
    )
    assert samples(path) == (
        [("d.1/a.16k", "d.1/a.16k.wav", "A"), ("d.1/b", "d.1/b.WAV", "B")],
        [],
    )
    good, bad = samples(pack(("s.0.wav", b""), ("s.1.wav", b""), ("s.txt", b"S")))
    assert [text for *_, text in good] == [None, None]
    assert bad == [("s", "no audio belongs to s.txt")]


def test_what_comes_twice_is_told(pack):
    good, bad = samples(pack(("a.wav", b"1"), ("a.txt", b"A"), ("a.wav", b"2"), ("a.txt", b"B")))
    assert good == [("a", "a.wav", "B")] and len(bad) == 2
    good, bad = samples(pack(("a.mp3", b"1"), ("a.wav", b"2")))
    assert good == [("a", "a.wav", None)]
    assert bad == [("a", "a.mp3 has another of its name, which counts")]


@pytest.mark.parametrize(
    "sidecar",
    [
        b"[" * 100_000,
        b"{",
        b"[1]",
        b'{"duration": 1e305}',
        b'{"ofset": 1}',
        b'{"text": 1}',
        b"\xff",
    ],
)
def test_a_bad_sidecar_is_told_and_the_others_are_read(pack, sidecar):
    good, bad = samples(pack(("a.wav", b""), ("a.json", sidecar), ("b.wav", b"")))
    assert [name for name, *_ in good] == ["b"] and [name for name, _ in bad] == ["a"]


def test_what_a_damaged_archive_has_lost_is_told(pack):
    path = pack(*[(f"{i}.wav", bytes(600)) for i in range(4)])
    data = bytearray(path.read_bytes())
    data[2 * 1536 + 124] ^= 1
    path.write_bytes(data)
    good, bad = samples(path)
    assert [name for name, *_ in good] == ["0", "1"]
    assert len(bad) == 1 and "left out" in bad[0][1]


def test_offsets_are_read(pack):
    path = pack(("a.wav", b""), ("a.json", json.dumps({"offset": 1, "duration": 2}).encode()))
    ((entry, _),) = read_samples(path)
    assert (entry.offset, entry.duration) == (1.0, 2.0)
