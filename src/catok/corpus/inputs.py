"""Recordings to tokenize, from lists, folders, archives and tables, here or by URL."""

import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from catok.audio import audio_info
from catok.corpus.formats.base import RESERVED
from catok.corpus.inputs_lhotse import find_shar, is_cuts, read_cuts, read_shar
from catok.corpus.inputs_parquet import find_tables, read_table
from catok.corpus.inputs_url import KALDI, is_shar, read_folder_url, read_shar_url
from catok.corpus.recording import Recording
from catok.data.entry import Entry
from catok.data.folders import AUDIO_SUFFIXES
from catok.data.manifest import read_manifest
from catok.data.recordings import read_recordings
from catok.data.tar import Member
from catok.data.webdataset import find_tars, read_samples
from catok.io.files import reason
from catok.io.remote import is_url, list_url, read_url, stat_version, url_in, url_version

NAMED = ("text", "language", "speaker", "domain", "corpus", "task")
LISTS = (".jsonl", ".json", ".jsonl.gz", ".json.gz")
SAMPLED = 200  # recordings whose lengths are looked up for an estimate


def read_inputs(inputs: Sequence[str | Path], *, content: bool = False) -> list[Recording]:
    """The recordings of all inputs in order, with ids of their own.

    An input is a folder, a JSON-lines manifest, a Kaldi directory, an audio file, WebDataset
    archives (see `catok.data`), a Shar folder, a manifest of lhotse cuts, Parquet tables with audio
    in the layout of Hugging Face's `datasets`, or a URL of any of these.
    Where an id comes twice, later ones get a number: "a", "a-2". Columns that are named as shards'
    own, such as "codes", are called "input_codes". `content`: read all audio once for
    a hash of it, by which a replaced recording is told.

    Raises ValueError where an input is missing, malformed or holds no recordings.
    """
    if isinstance(inputs, str | os.PathLike):
        raise ValueError(f"inputs is a list: give [{os.fspath(inputs)!r}]")
    recordings = _with_unique_ids(
        [_with_free_names(item) for path in inputs for item in _read(os.fspath(path))]
    )
    if not content:
        return recordings
    with ThreadPoolExecutor(4) as pool:
        hashes = pool.map(Recording.content_hash, recordings)
        return [
            replace(recording, version=f"{recording.version} {content_hash}")
            for recording, content_hash in zip(recordings, hashes, strict=True)
        ]


def read_entries(entries: Sequence[Entry]) -> list[Recording]:
    """The recordings of a list that was read already (see `catok.data`), as `read_inputs` does."""
    return _with_unique_ids([_with_free_names(_of_file(entry)) for entry in entries])


def estimated_seconds(recordings: Sequence[Recording]) -> float | None:
    """Seconds of audio of all recordings, from the lengths of some; None where none is known."""
    step = max(1, len(recordings) // SAMPLED)
    known = [s for r in recordings[::step] if (s := _seconds(r)) is not None]
    return sum(known) / len(known) * len(recordings) if known else None


def _read(path: str) -> Iterator[Recording]:
    if is_url(path):
        yield from _read_url(path)
        return
    shar = find_shar(path)
    tables = find_tables(path)
    archives = [] if shar else find_tars(path)
    if shar:
        yield from read_shar(shar)
    elif tables:
        for table in tables:
            yield from read_table(str(table), stat_version(table))
    elif archives:
        for archive in archives:
            yield from _read_archive(archive, str(archive), stat_version(archive))
    elif is_cuts(path):
        yield from read_cuts(path)
    elif Path(path).is_file() and Path(path).suffix.lower() in AUDIO_SUFFIXES:
        yield _of_file(Entry(Path(path), name=Path(path).name))
    else:
        for entry in read_recordings(path):
            yield _of_file(entry)


def _read_url(url: str) -> Iterator[Recording]:
    try:
        files = list_url(url)
    except OSError as error:
        raise ValueError(reason(error)) from error
    if is_shar(files):
        yield from read_shar_url(files)
        return
    found = False
    for file in files:
        if file.name.endswith(".parquet"):
            yield from read_table(file.url, file.version)
        elif file.name.endswith(".tar") or (file.url == url and file.name.endswith(LISTS)):
            with tempfile.TemporaryDirectory() as place:
                copy = Path(place, os.path.basename(file.name))
                copy.write_bytes(read_url(file.url).read())
                if copy.suffix == ".tar":
                    yield from _read_archive(copy, file.url, file.version)
                elif is_cuts(str(copy)):
                    for item in read_cuts(str(copy)):
                        yield replace(item, version=file.version)
                else:
                    yield from _of_list(copy, file.url)
        else:
            continue
        found = True
    if len(files) == 1 and files[0].url == url and Path(url).suffix.lower() in AUDIO_SUFFIXES:
        yield _of_file(Entry(Path(files[0].name), name=url), files[0].version)
    elif any(f.name in KALDI or Path(f.name).suffix.lower() in AUDIO_SUFFIXES for f in files):
        for entry, version in read_folder_url(url, files):
            yield _of_file(entry, version)
    elif not found:
        raise ValueError(f"{url} holds no audio, archives or tables: check the address")


def _of_list(copy: Path, url: str) -> Iterator[Recording]:
    """The recordings of a manifest by URL, whose paths are relative to that."""
    for entry in read_manifest(copy):
        if entry.error is not None or entry.audio is None:
            yield _of_file(entry)
        else:
            yield _of_file(replace(entry, name=url_in(url, entry.name)))


def _of_file(entry: Entry, version: str = "") -> Recording:
    remote = is_url(entry.name)
    stem = entry.name.rpartition("/")[2] if remote else entry.name
    name = entry.id or os.path.splitext(stem)[0]
    columns = _columns(entry)
    if entry.error is not None or entry.audio is None:
        error = entry.error or "it has codes already and no audio"
        return Recording(name, entry.name, columns=columns, error=error)
    audio = entry.name if remote else str(entry.audio)
    columns["audio"] = audio
    try:
        version = version or (url_version(audio) if remote else stat_version(audio))
    except (OSError, ValueError) as error:
        return Recording(name, audio, columns=columns, error=reason(error))
    part = (entry.offset, entry.duration) if entry.offset is not None else (None, None)
    return Recording(
        name, audio, "file", *part, columns=columns, version=version, seconds=entry.duration
    )


def _read_archive(archive: Path, address: str, version: str) -> Iterator[Recording]:
    for entry, member in read_samples(archive):
        yield _of_archive(entry, member, address, version)


def _of_archive(entry: Entry, member: Member | None, address: str, version: str) -> Recording:
    name = entry.id or entry.name.rpartition("/")[2]
    columns = _columns(entry)
    if member is None or entry.error is not None:
        return Recording(name, entry.name, columns=columns, error=entry.error or "no audio")
    columns["audio"] = f"{address}/{member.name}"
    return Recording(
        name,
        f"{address}:{member.offset}:{member.size}",
        "tar",
        entry.offset,
        entry.duration if entry.offset is not None else None,
        columns,
        version,
        seconds=entry.duration,
    )


def _columns(entry: Entry) -> dict[str, Any]:
    """What is known of a recording besides its audio; keys that are not given are left out."""
    known = {name: getattr(entry, name) for name in NAMED}
    if entry.offset is not None:
        known |= {"offset": entry.offset, "duration": entry.duration}
    return {key: value for key, value in known.items() if value is not None} | dict(entry.extra)


def _seconds(recording: Recording) -> float | None:
    if recording.seconds is not None or recording.error is not None:
        return recording.seconds
    with suppress(ValueError, OSError):
        if recording.source == "file" and not is_url(recording.audio):
            return audio_info(recording.audio).seconds
        if recording.source == "tar" and not is_url(recording.audio):
            with recording.open() as file:
                return audio_info(file).seconds
    return None


def _with_free_names(recording: Recording) -> Recording:
    """Columns that are named as shards' own are called input_NAME."""
    if not recording.columns.keys() & RESERVED:
        return recording
    columns = {
        f"input_{name}" if name in RESERVED else name: value
        for name, value in recording.columns.items()
    }
    return replace(recording, columns=columns)


def _with_unique_ids(recordings: Sequence[Recording]) -> list[Recording]:
    taken = {recording.id for recording in recordings}
    seen: Counter[str] = Counter()
    unique = []
    for recording in recordings:
        seen[recording.id] += 1
        name, count = recording.id, seen[recording.id]
        while count > 1 and name in taken:
            name, count = f"{recording.id}-{count}", count + 1
        taken.add(name)
        unique.append(recording if name == recording.id else replace(recording, id=name))
    return unique
