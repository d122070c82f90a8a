"""`read_cuts`: whatever lists audio, as a lhotse CutSet."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catok.audio import audio_info
from catok.data.entry import Entry, parse_entry
from catok.data.folders import find_audio, summarize
from catok.data.jsonl import read_jsonl
from catok.data.kaldi import resolve_path
from catok.data.recordings import read_folder
from catok.data.webdataset import find_tars
from catok.training.codec.data.cuts import (
    FILE,
    checked_cut,
    is_unreadable,
    make_cut,
    recording_of,
    unreadable_cut,
)
from catok.training.codec.data.shards import is_shar, shar_shards, webdataset_shards

if TYPE_CHECKING:
    from lhotse import CutSet
    from lhotse.cut.data import DataCut as Cut


def read_cuts(path: str | Path, *, domain: str | None = None) -> CutSet:
    """The recordings that `path` names; `domain` is that of those that state none.

    - a folder of audio files, as `catok.data.folders.find_audio` finds them, with the texts of
      .txt files of the same names, or in the layouts of LibriSpeech and LJSpeech;
    - a Kaldi data directory (wav.scp; optionally segments, text, utt2spk, utt2lang, reco2dur):
      one cut per segment;
    - a JSON-lines manifest, one recording a line: `audio` (path relative to the manifest),
      optionally duration and offset (seconds), text, task, language, speaker, domain,
      band_edge (Hz); see `catok.data.entry`;
    - a lhotse cuts manifest (.jsonl or .jsonl.gz);
    - a lhotse Shar directory, read as it streams;
    - WebDataset: a .tar, a folder of them, or a pattern ("x-{000..123}.tar", "x-*.tar"), read as
      it streams: audio with .json (keys as above) or .txt (text) of the same name.

    A recording that cannot be read, or lies outside its file, is listed, and reported when it is
    drawn. Raises ValueError on a missing path, on a malformed line, and when nothing is found.
    """
    from lhotse import CutSet

    tars = find_tars(str(path))
    path = Path(path)
    if tars:
        return CutSet(webdataset_shards(tars, domain))
    if path.is_dir() and is_shar(path):
        return CutSet(shar_shards(path, domain))
    if path.is_dir():
        lengths = Lengths()
        cuts = [_cut(entry, lengths, domain) for entry in read_folder(path)]
    elif path.exists():
        cuts = list(_read_lines(path, domain))
    else:
        raise ValueError(f"no manifest or folder at {path}")
    if not cuts:
        besides = left_out(path)
        raise ValueError(f"{path} lists no audio" + (f", only {besides}" if besides else ""))
    if all(map(is_unreadable, cuts)):
        raise ValueError(
            f"nothing in {path} can be read: {recording_of(cuts[0]).sources[0].source!s}"
        )
    return CutSet(cuts)


def left_out(path: str | Path) -> str:
    """What a folder of audio holds besides it and its texts, such as "3 .pdf"; empty of others."""
    if not _is_audio_folder(Path(path)):
        return ""
    inside = find_audio(path)
    texts = {text for file in inside.files if os.path.isfile(text := file.with_suffix(".txt"))}
    return summarize(inside.left_out - Counter({".txt": len(texts)}))


def _is_audio_folder(path: Path) -> bool:
    """Whether `read_cuts` takes the folder for what it is: no layout of another kind."""
    if not path.is_dir() or (path / "wav.scp").exists() or is_shar(path):
        return False
    return not find_tars(str(path))


class Lengths:
    """Seconds of audio files, each asked once."""

    def __init__(self) -> None:
        self._known: dict[str, float | ValueError] = {}

    def of(self, file: str) -> float:
        """Raises ValueError where the file cannot be read."""
        if file not in self._known:
            try:
                self._known[file] = audio_info(file).seconds
            except ValueError as error:
                self._known[file] = error
        known = self._known[file]
        if isinstance(known, ValueError):
            raise known
        return known


def _cut(entry: Entry, lengths: Lengths, domain: str | None) -> Cut:
    """Raises ValueError only where the entry itself is at fault, not its audio."""
    if entry.audio is None:
        raise ValueError("names codes: training needs audio")
    source = str(entry.audio)
    name = source if entry.offset is None else f"{source}#{entry.id or entry.line}"
    if entry.error is not None:
        return unreadable_cut(name, entry.error, entry.domain or domain)
    whole = entry.offset is None and entry.duration is not None
    try:
        length = None if whole else entry.total or lengths.of(source)
        if length is not None and (entry.offset or 0.0) >= length:
            raise ValueError(f"begins at {entry.offset:g} s, after its recording of {length:g} s")
    except ValueError as error:
        return unreadable_cut(name, str(error), entry.domain or domain)
    return make_cut(entry, source, length, name=name, domain=domain)


def _read_lines(manifest: Path, domain: str | None) -> Iterator[Cut]:
    lengths = Lengths()
    for number, keys in read_jsonl(manifest):
        try:
            if "type" in keys and "audio" not in keys:
                yield checked_cut(_lhotse_cut(keys, manifest.parent), domain)
            else:
                yield _cut(parse_entry(keys, manifest.parent, number), lengths, domain)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
            raise ValueError(
                f'{manifest}, line {number}: needs {{"audio": ..., "duration": ...}} or a lhotse '
                f"cut ({type(error).__name__}: {error})"
            ) from error


def _lhotse_cut(keys: dict[str, Any], folder: Path) -> Cut:
    from lhotse.serialization import deserialize_item

    cut = deserialize_item(keys)
    source = recording_of(cut).sources[0]
    if source.type == FILE:
        source.source = str(resolve_path(str(source.source), folder))
    return cut
