"""lhotse Shar folders: cuts.N.jsonl[.gz] beside recording.N.tar, by reference."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from catok.data.jsonl import read_jsonl
from catok.data.tar import Member, members
from catok.training.codec.data.cuts import TAR, checked_cut, unreadable_cut
from catok.training.codec.data.shards import Shards

if TYPE_CHECKING:
    from lhotse.cut.data import DataCut as Cut


def is_shar(folder: Path) -> bool:
    """Whether the folder holds numbered cuts and recordings."""
    return any(folder.glob("cuts.*.jsonl*")) and any(folder.glob("recording.*.tar"))


def shards(folder: Path, domain: str | None = None) -> Shards:
    """The folder's shards as lazily read cuts.

    Raises ValueError where cuts lack their recordings.
    """
    cuts = sorted(folder.glob("cuts.*.jsonl*"))
    for path in cuts:
        if not _recordings(path).exists():
            raise ValueError(f"{path} has no {_recordings(path).name} beside it: copy it again")
    return Shards(cuts, partial(_read, domain=domain))


def _recordings(cuts: Path) -> Path:
    return cuts.with_name(f"recording.{cuts.name.split('.')[1]}.tar")


def _read(path: Path, domain: str | None) -> Iterator[Cut]:
    from lhotse.serialization import deserialize_item

    try:
        audio = _audio(_recordings(path))
        for number, keys in read_jsonl(path):
            key, member = next(audio, ("missing", None))
            cut = deserialize_item(keys)
            if key != cut.id:
                raise ValueError(f"line {number}: the cut is {cut.id}, the recording is {key}")
            if member is not None:
                cut.recording.sources[0].type = TAR
                cut.recording.sources[0].source = member.reference
                yield checked_cut(cut, domain)
        for key, _ in audio:
            raise ValueError(f"recording {key} has no line: cuts and recordings do not match")
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        yield unreadable_cut(str(path), str(error), domain)  # what came before is good


def _audio(archive: Path) -> Iterator[tuple[str, Member | None]]:
    """The audio of each cut in order, by the cut's id; None where a cut has none."""
    for member in members(archive):
        name = PurePosixPath(member.name)
        if name.suffix not in (".json", ".nometa"):
            yield str(name.with_suffix("")), None if name.suffix == ".nodata" else member
