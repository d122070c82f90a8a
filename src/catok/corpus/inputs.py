"""Recordings to tokenize, from lists, folders and archives of any layout."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from torch import Tensor

from catok.audio import load_crop, read_blocks
from catok.data.entry import Entry
from catok.data.recordings import read_recordings
from catok.data.tar import Member, open_reference
from catok.data.webdataset import find_tars, read_samples

NAMED = ("text", "language", "speaker", "domain", "corpus", "task")


@dataclass(frozen=True)
class Recording:
    """One recording: where its audio is and everything that the input says of it.

    `audio`: a file's path, or `archive:offset:size` where `packed`. `offset` and `duration` in
    seconds where only a part of it is meant. `version`: changes when the file is replaced.
    `error`: why it cannot be used.
    """

    id: str
    audio: str
    packed: bool = False
    offset: float | None = None
    duration: float | None = None
    columns: dict[str, Any] = field(default_factory=dict)
    version: str = ""
    error: str | None = None

    def blocks(self, sample_rate: int, channels: int, seconds: float = 10.0) -> Iterator[Tensor]:
        """Its audio `[C, n]` at this rate, block by block.

        Raises ValueError or OSError, where it is reached, on what cannot be read.
        """
        if self.error is not None:
            raise ValueError(self.error)
        if self.offset is not None:
            length = 1e9 if self.duration is None else self.duration
            yield load_crop(
                self.audio, self.offset, length, sample_rate=sample_rate, channels=channels
            )
        elif self.packed:
            with closing(open_reference(self.audio)) as file:
                yield from read_blocks(cast(BinaryIO, file), sample_rate, channels, seconds)
        else:
            yield from read_blocks(self.audio, sample_rate, channels, seconds)


def read_inputs(inputs: Sequence[str | Path]) -> list[Recording]:
    """The recordings of all inputs in order, with ids of their own.

    An input is a folder, a JSON-lines manifest, a Kaldi directory, an audio file, or WebDataset
    archives (see `catok.data`). Where an id comes twice, later ones get a number: "a", "a-2".
    Raises ValueError where an input is missing, malformed or holds no recordings.
    """
    recordings = [recording for path in inputs for recording in _read(str(path))]
    return _with_unique_ids(recordings)


def _read(path: str) -> Iterator[Recording]:
    archives = find_tars(path)
    if archives:
        for archive in archives:
            version = file_version(archive)
            for entry, member in read_samples(archive):
                yield _of_archive(entry, member, version)
        return
    for entry in read_recordings(path):
        yield _of_file(entry)


def _of_file(entry: Entry) -> Recording:
    name = entry.id or os.path.splitext(entry.name)[0]
    columns = _columns(entry)
    if entry.error is not None or entry.audio is None:
        error = entry.error or "it has codes already and no audio"
        return Recording(name, entry.name, columns=columns, error=error)
    columns["audio"] = str(entry.audio)
    try:
        version = file_version(entry.audio)
    except OSError as error:
        return Recording(name, str(entry.audio), columns=columns, error=str(error))
    part = (entry.offset, entry.duration) if entry.offset is not None else (None, None)
    return Recording(name, str(entry.audio), False, *part, columns=columns, version=version)


def _of_archive(entry: Entry, member: Member | None, version: str) -> Recording:
    name = entry.id or entry.name.rpartition("/")[2]
    columns = _columns(entry)
    if member is None or entry.error is not None:
        return Recording(name, entry.name, columns=columns, error=entry.error or "no audio")
    columns["audio"] = f"{member.archive}/{member.name}"
    return Recording(
        name,
        member.reference,
        True,
        entry.offset,
        entry.duration if entry.offset is not None else None,
        columns,
        version,
    )


def _columns(entry: Entry) -> dict[str, Any]:
    """What is known of a recording besides its audio; keys that are not given are left out."""
    known = {name: getattr(entry, name) for name in NAMED}
    if entry.offset is not None:
        known |= {"offset": entry.offset, "duration": entry.duration}
    return {key: value for key, value in known.items() if value is not None} | dict(entry.extra)


def file_version(path: str | Path) -> str:
    """Size and time of change: differs once a file was replaced. Raises OSError if it is gone."""
    facts = os.stat(path)
    return f"{facts.st_size}-{facts.st_mtime_ns}"


def _with_unique_ids(recordings: Sequence[Recording]) -> list[Recording]:
    taken = {recording.id for recording in recordings}
    seen: Counter[str] = Counter()
    found = []
    for recording in recordings:
        seen[recording.id] += 1
        name, count = recording.id, seen[recording.id]
        while count > 1 and name in taken:
            name, count = f"{recording.id}-{count}", count + 1
        taken.add(name)
        found.append(recording if name == recording.id else replace(recording, id=name))
    return found
