"""WebDataset archives: members that share a name up to its first dot describe one recording."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from glob import glob
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from catok.audio import audio_info
from catok.data.folders import AUDIO_SUFFIXES
from catok.training.data.cuts import TAR, make_cut, unreadable_cut
from catok.training.data.tars import Member, Shards, members, open_reference

if TYPE_CHECKING:
    from lhotse.cut.data import DataCut as Cut

_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


def find_tars(path: str) -> list[Path]:
    """The archives that a path or pattern names; none when it is not about archives.

    Raises ValueError for compressed archives, and for a pattern that nothing matches.
    """
    if path.endswith(_COMPRESSED):
        raise ValueError(f"{path} is compressed: shards are read at random, unpack it to .tar")
    if Path(path).is_dir():
        foreign = (Path(path) / "wav.scp").exists() or any(Path(path).glob("cuts.*.jsonl*"))
        return [] if foreign else sorted(Path(path).glob("*.tar"))
    if not path.endswith(".tar"):
        return []
    names = [name for pattern in _braces(path) for name in sorted(glob(pattern)) or [pattern]]
    missing = [name for name in names if not Path(name).is_file()]
    if missing:
        raise ValueError(f"no archive at {missing[0]} ({len(missing)} of {len(names)} missing)")
    return [Path(name) for name in names]


def shards(tars: list[Path], domain: str | None = None) -> Shards:
    """Archives as lazily read cuts."""
    return Shards(tars, partial(_read, domain=domain))


def _read(archive: Path, domain: str | None) -> Iterator[Cut]:
    facts: dict[str, Any] = {"domain": domain}
    try:
        for key, group in groupby(members(archive), _key):
            parts = {_suffix(member): member for member in group}
            audio = next((m for s, m in parts.items() if s in AUDIO_SUFFIXES), None)
            if audio is None:
                continue
            name = f"{archive}/{key}"
            try:
                found = _facts(parts, domain)
                seconds = found.get("duration") or _seconds(audio)
                yield make_cut(name, audio.reference, float(seconds), found, kind=TAR)
            except (ValueError, TypeError, OSError) as error:
                yield unreadable_cut(name, str(error), facts)
    except ValueError as error:  # the archive itself: what came before is good
        yield unreadable_cut(str(archive), str(error), facts)


def _facts(parts: dict[str, Member], domain: str | None) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if ".txt" in parts:
        facts["text"] = parts[".txt"].read().decode("utf-8").strip()
    if ".json" in parts:
        sidecar = json.loads(parts[".json"].read())
        if not isinstance(sidecar, dict):
            raise ValueError(f"{parts['.json'].name} must be a JSON object: mend it")
        facts |= sidecar
    facts["domain"] = facts.get("domain") or domain
    return facts


def _seconds(audio: Member) -> float:
    with open_reference(audio.reference) as window:
        return audio_info(window).seconds  # type: ignore[arg-type]


def _key(member: Member) -> str:
    path = PurePosixPath(member.name)
    return str(path.with_name(path.name.partition(".")[0] or path.name))


def _suffix(member: Member) -> str:
    return PurePosixPath(member.name).suffix.lower()


def _braces(pattern: str) -> Iterator[str]:
    """Shell braces: "{00..12}" counts, "{a,b}" chooses."""
    match = re.search(r"\{([^{}]*)\}", pattern)
    if match is None:
        yield pattern
        return
    span = re.fullmatch(r"(\d+)\.\.(\d+)", match[1])
    if span:
        width = len(span[1])
        options = [str(n).zfill(width) for n in range(int(span[1]), int(span[2]) + 1)]
    else:
        options = match[1].split(",")
    for option in options:
        yield from _braces(pattern[: match.start()] + option + pattern[match.end() :])
