"""WebDataset archives: members of one name describe one recording, audio with .json or .txt.

A name ends at its last dot: "spk1.0000.wav" is the audio of "spk1.0000". Where no audio has the
whole name of a .json or .txt, the only one that goes on from it by a dot is meant: "a.json" is of
"a.16k.wav".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from glob import glob
from pathlib import Path
from typing import Any

from catok.data.entry import Entry, parse_facts
from catok.data.folders import AUDIO_SUFFIXES
from catok.data.tar import Member, members
from catok.io.json import parse_object

COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
SIDECARS = (".txt", ".json")


def find_tars(path: str) -> list[Path]:
    """The archives that a path or pattern names; none when it is not about archives.

    "x-{000..123}.tar", "x-*.tar", a .tar or a folder of them. Raises ValueError for compressed
    archives, and for a pattern that nothing matches.
    """
    if path.endswith(COMPRESSED):
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


def read_samples(archive: Path) -> Iterator[tuple[Entry, Member | None]]:
    """The recordings of an archive in order, each with its audio.

    What cannot be used is an entry with its `error`: audio that comes twice, a .json or .txt that
    is damaged or that no audio belongs to, and what a damaged archive has lost.
    """
    audio: dict[str, Member] = {}
    sidecars: dict[str, dict[str, Member]] = {}
    errors: list[tuple[str, str]] = []  # name, reason
    try:
        for member in members(archive):
            key, suffix = _split(member.name)
            kinds = sidecars.get(key, {})
            earlier = kinds.get(suffix) if suffix in SIDECARS else audio.get(key)
            if (suffix not in SIDECARS and suffix not in AUDIO_SUFFIXES) or _is_hidden(member.name):
                continue
            if not member.regular:
                errors.append((key, f"{member.name} is a link: put the file itself there"))
                continue
            if earlier is not None:
                errors.append((key, f"{earlier.name} has another of its name, which counts"))
            if suffix in SIDECARS:
                sidecars[key] = kinds | {suffix: member}
            else:
                audio[key] = member
    except ValueError as error:  # what came before is good
        errors.append(("", str(error)))
    owned = _owned(audio, sidecars)
    for key, member in audio.items():
        yield _entry(f"{archive}/{key}", sidecars.get(owned.get(key, ""), {})), member
    for key in sorted(sidecars.keys() - set(owned.values())):
        names = " and ".join(member.name for member in sidecars[key].values())
        errors.append((key, f"no audio belongs to {names}"))
    for key, reason in errors:
        yield Entry(None, name=f"{archive}/{key}" if key else str(archive), error=reason), None


def _owned(audio: Mapping[str, Member], sidecars: Mapping[str, object]) -> dict[str, str]:
    """By the keys of audio, those of the sidecars that belong to it."""
    sidecar_of = {key: key for key in audio if key in sidecars}
    going_on: dict[str, list[str]] = {}  # by the keys of other sidecars, audio that goes on from it
    for key in audio.keys() - sidecar_of.keys():
        folder, slash, name = key.rpartition("/")
        while "." in name:
            name = name.rpartition(".")[0]
            if folder + slash + name in sidecars:
                going_on.setdefault(folder + slash + name, []).append(key)
                break
    for sidecar, keys in going_on.items():
        if len(keys) == 1 and sidecar not in sidecar_of:
            sidecar_of[keys[0]] = sidecar
    return sidecar_of


def _entry(name: str, sidecars: Mapping[str, Member]) -> Entry:
    try:
        facts: dict[str, Any] = {}
        if ".json" in sidecars:
            facts = parse_facts(parse_object(sidecars[".json"].read(), "its .json"))
        if ".txt" in sidecars:
            text = sidecars[".txt"].read().decode("utf-8-sig").strip()
            facts["text"] = facts.get("text") or text
    except ValueError as error:
        return Entry(None, name=name, error=str(error))
    return Entry(None, name=name, **facts)


def _is_hidden(name: str) -> bool:
    return name.rpartition("/")[2].startswith(".")


def _split(name: str) -> tuple[str, str]:
    """A member's name without its suffix, and that in small letters."""
    folder, slash, base = name.removeprefix("./").rpartition("/")
    stem, dot, suffix = base.rpartition(".")
    return (folder + slash + stem, f".{suffix.lower()}") if dot else (folder + slash + base, "")


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
