"""`read_cuts`: whatever lists audio, as a lhotse CutSet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catok.audio import audio_info
from catok.data.folders import find_audio
from catok.training.data import kaldi, shar, webdataset
from catok.training.data.cuts import (
    FILE,
    UNREADABLE,
    beside,
    make_cut,
    recording_of,
    unreadable_cut,
    with_domain,
)
from catok.training.data.lines import numbered_lines

if TYPE_CHECKING:
    from lhotse import CutSet
    from lhotse.cut.data import DataCut as Cut


def read_cuts(path: str | Path, *, domain: str | None = None) -> CutSet:
    """The recordings that `path` names; `domain` is that of those that state none.

    - a folder of audio files, as `catok.data.folders.find_audio` finds them;
    - a JSON-lines manifest, one recording a line: `audio` (path relative to the manifest) and
      `duration` (seconds), optionally text, task, language, speaker, domain, band_edge (Hz);
    - a lhotse cuts manifest (.jsonl or .jsonl.gz);
    - a Kaldi data directory (wav.scp; optionally segments, text, utt2spk, utt2lang, reco2dur):
      one cut per segment;
    - a lhotse Shar directory, read as it streams;
    - WebDataset: a .tar, a folder of them, or a pattern ("x-{000..123}.tar", "x-*.tar"), read as
      it streams: audio with .json (keys as above) or .txt (text) of the same name.

    Raises ValueError on a missing path, on a malformed line, and when nothing is found.
    """
    from lhotse import CutSet

    tars = webdataset.find_tars(str(path))
    path = Path(path)
    if tars:
        return CutSet(webdataset.shards(tars, domain))
    if _is_audio_folder(path):
        cuts = _read_folder(path, domain)
    elif (path / "wav.scp").exists():
        cuts = kaldi.read_folder(path, domain)
    elif path.is_dir():
        return CutSet(shar.shards(path, domain))
    elif path.is_file():
        cuts = list(_read_lines(path, domain))
    else:
        raise ValueError(f"no manifest or folder at {path}")
    if not cuts:
        besides = left_out(path)
        raise ValueError(f"{path} lists no audio" + (f", only {besides}" if besides else ""))
    sources = [recording_of(cut).sources[0] for cut in cuts]
    if all(source.type == UNREADABLE for source in sources):
        raise ValueError(f"nothing in {path} can be read: {sources[0].source!s}")
    return CutSet(cuts)


def left_out(path: str | Path) -> str:
    """What a folder of audio files holds besides them, such as "3 .txt"; else an empty string."""
    return find_audio(path).summary if _is_audio_folder(Path(path)) else ""


def _is_audio_folder(path: Path) -> bool:
    """Whether `read_cuts` takes the folder for what it is: no layout of another kind."""
    if not path.is_dir() or (path / "wav.scp").exists() or shar.is_shar(path):
        return False
    return not webdataset.find_tars(str(path))


def _read_folder(folder: Path, domain: str | None) -> list[Cut]:
    facts, cuts = {"domain": domain}, []
    for file in find_audio(folder).files:
        try:
            cuts.append(make_cut(str(file), str(file), audio_info(file).seconds, facts))
        except ValueError as error:
            cuts.append(unreadable_cut(str(file), str(error), facts))
    return cuts


def _read_lines(manifest: Path, domain: str | None) -> Iterator[Cut]:
    for number, line in numbered_lines(manifest):
        try:
            yield with_domain(_cut(json.loads(line), manifest), domain)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ValueError(
                f'{manifest}, line {number}: needs {{"audio": ..., "duration": ...}} or a lhotse '
                f"cut ({type(error).__name__}: {error})"
            ) from error


def _cut(line: Any, manifest: Path) -> Cut:
    """Our own line, or one of lhotse's."""
    if isinstance(line, dict) and "type" in line and "audio" not in line:
        return _lhotse_cut(line, manifest.parent)
    source = str(manifest.parent / line["audio"])
    return make_cut(source, source, float(line["duration"]), line)


def _lhotse_cut(line: dict[str, Any], folder: Path) -> Cut:
    from lhotse.serialization import deserialize_item

    cut = deserialize_item(line)
    source = recording_of(cut).sources[0]
    if source.type == FILE:
        source.source = beside(str(source.source), folder)
    return cut
