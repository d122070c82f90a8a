"""Cuts of lhotse: manifests of them, and Shar folders, cuts.N.jsonl[.gz] beside recording.N.tar."""

import json
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from catok.corpus.recording import Recording
from catok.data.jsonl import read_jsonl
from catok.data.tar import Member, members
from catok.io.remote import stat_version

CUTS = ("MonoCut", "MultiCut", "MixedCut", "PaddingCut")


def find_shar(path: str) -> list[Path]:
    """The lists of cuts of a Shar folder, in order; none where it is no such folder."""
    folder = Path(path)
    if not folder.is_dir() or not any(folder.glob("recording.*.tar")):
        return []
    return sorted(folder.glob("cuts.*.jsonl*"))


def is_cuts(path: str) -> bool:
    """Whether a file is a manifest of cuts."""
    if not Path(path).is_file() or not path.endswith((".jsonl", ".jsonl.gz")):
        return False
    try:
        first = next(read_jsonl(path), (0, {}))[1]
    except ValueError:
        return False
    return first.get("type") in CUTS


def read_cuts(path: str) -> Iterator[Recording]:
    """The recordings of a manifest of cuts. Raises ValueError on malformed lines."""
    version = stat_version(path)
    for _, cut in read_jsonl(path):
        yield _recording(cut, json.dumps(cut), "cut", version)


def read_shar(lists: list[Path]) -> Iterator[Recording]:
    """The recordings of a Shar folder, each with the number of its shard.

    Raises ValueError where lists and archives do not go together.
    """
    for part, cuts in enumerate(lists):
        archive = cuts.parent / f"recording.{cuts.name.split('.')[1]}.tar"
        version = stat_version(archive)
        for line, member in zip_longest(read_jsonl(cuts), _audio(archive)):
            if line is None or (member is not None and _stem(member) != line[1].get("id")):
                name = None if line is None else line[1].get("id")
                raise ValueError(f"{archive} has {member and member.name} for the cut {name}")
            number, cut = line
            if member is None or member.name.endswith(".nodata"):
                error = f"{archive} has no audio for it"
                yield _recording(cut, f"{cuts}, line {number}", "tar", version, part, error)
            else:
                yield _recording(cut, member.reference, "tar", version, part)


def _audio(archive: Path) -> Iterator[Member]:
    for member in members(archive):
        if not member.name.endswith((".json", ".nometa")):
            yield member


def _stem(member: Member) -> str:
    return member.name.rpartition(".")[0]


def _recording(
    cut: Mapping[str, Any],
    audio: str,
    source: Any,
    version: str,
    part: int | None = None,
    error: str | None = None,
) -> Recording:
    """The cut itself is the column "cut", so that it can be written again with its codes."""
    said = [item for item in cut.get("supervisions") or [] if isinstance(item, dict)]
    columns: dict[str, Any] = {}
    texts = [str(item["text"]) for item in said if item.get("text")]
    if texts:
        columns["text"] = " ".join(texts)
    for key in ("speaker", "language"):
        values = {item[key] for item in said if item.get(key)}
        if len(values) == 1:
            columns[key] = values.pop()
    columns["cut"] = json.dumps(cut, ensure_ascii=False)
    name, seconds = str(cut.get("id")), cut.get("duration")
    return Recording(
        name,
        audio,
        source,
        columns=columns,
        version=version,
        part=part,
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
        error=error,
    )
