"""Readers of what somebody else wrote: ValueError or a counted complaint, never anything else."""

import gzip
import io
import json
import tarfile
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catok.data.entry import parse_entry
from catok.data.jsonl import read_jsonl
from catok.data.kaldi import read_kaldi
from catok.data.manifest import read_manifest
from catok.data.recordings import read_recordings
from catok.data.tar import members
from catok.data.webdataset import read_samples

quick = settings(
    max_examples=100,
    deadline=timedelta(seconds=2),
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

KEYS = ["audio", "audio_filepath", "codes", "offset", "ofset", "duration", "text", "band_edge",
        "id", "frames", "weights", "language", "speaker", "source", "task", "x"]  # fmt: skip
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
values = scalars | st.just(10**400) | st.lists(scalars, max_size=2)
objects = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=6), values, max_size=6)
words = st.text(st.sampled_from("a1.| \t\r\u2028\x00é-eEnif"), max_size=14)
lines = objects.map(json.dumps) | words | st.just("[" * 5000)


def take(iterable):
    """Read it all, as far as it goes."""
    try:
        return list(iterable)
    except ValueError:
        return []


@pytest.mark.slow
@quick
@given(objects)
def test_entries(tmp_path, keys):
    try:
        entry = parse_entry(keys, tmp_path)
    except ValueError:
        return
    assert entry.audio is not None or entry.codes is not None
    assert entry.duration is None or 0 < entry.duration <= 1e7
    json.dumps(str(entry.text)).encode()


@quick
@given(
    st.lists(objects.map(json.dumps) | words | st.just("[" * 5000), max_size=4),
    st.binary(max_size=20),
)
def test_manifests(tmp_path, lines, junk):
    content = "\n".join(lines).encode() + junk
    for name, written in (("m.jsonl", content), ("m.jsonl.gz", gzip.compress(content)[:-3])):
        path = tmp_path / name
        path.write_bytes(written)
        for number, keys in take(read_jsonl(path)):
            assert number >= 1 and isinstance(keys, dict)
        for entry in take(read_manifest(path)):
            assert entry.line >= 1


FILES = ["wav.scp", "segments", "text", "utt2spk", "utt2lang", "reco2dur"]


@quick
@given(st.dictionaries(st.sampled_from(FILES), st.lists(words, max_size=4).map("\n".join)))
def test_kaldi_folders(tmp_path, files):
    for name in FILES:
        (tmp_path / name).unlink(missing_ok=True)
    for name, text in files.items():
        (tmp_path / name).write_text(text, errors="surrogatepass")
    try:
        found = read_kaldi(tmp_path)
    except ValueError:
        return
    for entry in found:
        assert entry.offset is None or 0 <= entry.offset <= 1e7
        assert entry.duration is None or 0 < entry.duration <= 1e7


@quick
@given(st.sampled_from(["metadata.csv", "x.trans.txt", "a.txt"]), st.binary(max_size=40) | words)
def test_folders_with_transcripts(tmp_path, name, content):
    for file in tmp_path.iterdir():
        file.unlink()
    (tmp_path / "a.wav").write_bytes(b"")
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with suppress(ValueError):
        assert all(entry.audio is not None for entry in read_recordings(tmp_path))


@pytest.fixture(scope="module")
def archive():
    """A small archive with headers of every kind."""
    file = io.BytesIO()
    for format in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        with tarfile.open(fileobj=file, mode="w", format=format) as tar:
            for name in ("a.wav", "é" * 120 + ".wav", "a.json", "b.txt"):
                info = tarfile.TarInfo(name)
                info.size = 5
                tar.addfile(info, io.BytesIO(b'{"a":'))
    return file.getvalue()


bytes_at = st.tuples(st.integers(0, 1 << 16), st.integers(0, 255))


@quick
@given(st.lists(bytes_at, min_size=1, max_size=4), st.integers(0, 1 << 16), st.booleans())
def test_archives(tmp_path, archive, changes, length, mend):
    """Bytes of headers changed, with checksums that fit again if wanted, and the end cut off."""
    data = bytearray(archive)
    for place, value in changes:
        at = place % len(data)
        data[at] = value
        if mend:
            start = at // 512 * 512
            block = data[start : start + 512]
            block[148:156] = b" " * 8
            data[start + 148 : start + 156] = b"%06o\0 " % sum(block)
    path = tmp_path / "x.tar"
    path.write_bytes(data[: max(1, length % (2 * len(data)))])
    for member in take(members(path)):
        assert member.offset >= 0 and member.offset + member.size <= path.stat().st_size
    for entry, audio in read_samples(path):  # never raises: what is lost is an entry
        assert audio is not None or entry.error


@quick
@given(st.binary(max_size=1500))
def test_noise_is_no_archive(tmp_path, data):
    (tmp_path / "x.tar").write_bytes(data)
    take(members(tmp_path / "x.tar"))
    assert all(
        audio is not None or entry.error for entry, audio in read_samples(tmp_path / "x.tar")
    )
