"""Folders by URL: their lists and transcripts are fetched, their audio is left where it is."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from catok.corpus.inputs_lhotse import read_shar
from catok.corpus.recording import Recording
from catok.data.entry import Entry
from catok.data.folders import AUDIO_SUFFIXES
from catok.data.recordings import read_recordings
from catok.io.remote import RemoteFile, read_url

KALDI = ("wav.scp", "segments", "text", "utt2spk", "utt2lang", "reco2dur")
TRANSCRIPTS = (".txt", ".csv")


def is_shar(files: Sequence[RemoteFile]) -> bool:
    """Whether these are the files of a Shar folder."""
    names = [file.name for file in files]
    return any(fnmatch(name, "recording.*.tar") for name in names) and bool(_cuts(files))


def read_shar_url(files: Sequence[RemoteFile]) -> Iterator[Recording]:
    """The recordings of a Shar folder, shard by shard: an archive at a time is looked through.

    Raises ValueError where lists and archives do not go together.
    """
    there = {file.name: file for file in files}
    for part, cuts in enumerate(_cuts(files)):
        name = f"recording.{cuts.name.split('.')[1]}.tar"
        if name not in there:
            raise ValueError(f"there is no {name} beside {cuts.url}")
        archive = there[name]
        with tempfile.TemporaryDirectory() as place:
            for file in (cuts, archive):
                Path(place, file.name).write_bytes(read_url(file.url).read())
            copy = str(Path(place, name))
            for item in read_shar([Path(place, cuts.name)]):
                audio = item.audio.replace(copy, archive.url)
                yield replace(item, audio=audio, part=part, version=archive.version)


def read_folder_url(url: str, files: Sequence[RemoteFile]) -> list[tuple[Entry, str]]:
    """The recordings of a folder of any layout that `read_recordings` knows, named by their URLs,
    with the versions of their files. Those whose lists name files of this machine are as there.

    Raises ValueError as that does.
    """
    with tempfile.TemporaryDirectory() as place:
        root = Path(place).resolve()
        for file in files:
            if ".." in Path(file.name).parts:
                continue
            copy = root / file.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            suffix = copy.suffix.lower()
            if suffix in TRANSCRIPTS or file.name in KALDI:
                copy.write_bytes(read_url(file.url).read())
            elif suffix in AUDIO_SUFFIXES:
                copy.touch()
        there = {file.name: file for file in files}
        return [_remote(entry, root, url, there) for entry in read_recordings(root)]


def _remote(entry: Entry, root: Path, url: str, there: dict[str, RemoteFile]) -> tuple[Entry, str]:
    if entry.audio is None or not entry.audio.is_relative_to(root):
        return entry, ""
    name = entry.audio.relative_to(root).as_posix()
    file = there.get(name)
    address = f"{url.rstrip('/')}/{name}" if file is None else file.url
    known = entry.id or os.path.splitext(entry.name)[0]
    return replace(entry, id=known, name=address), "" if file is None else file.version


def _cuts(files: Sequence[RemoteFile]) -> list[RemoteFile]:
    return [file for file in files if fnmatch(file.name, "cuts.*.jsonl*")]
