"""Corpora in shards, Shar folders and WebDataset archives, as streams of cuts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from catok.audio import audio_info
from catok.data.jsonl import read_jsonl
from catok.data.tar import Member, members, open_reference
from catok.data.webdataset import read_samples
from catok.io.files import reason
from catok.training.codec.data.cuts import TAR, checked_cut, make_cut, unreadable_cut

if TYPE_CHECKING:
    from lhotse.cut.data import DataCut as Cut


class Shards:
    """Iterates over the cuts of all shards in order; `parts` are the shards one by one."""

    def __init__(self, shards: Sequence[Path], read: Callable[[Path], Iterator[Cut]]) -> None:
        self.parts: tuple[Iterable[Cut], ...] = tuple(_Shard(path, read) for path in shards)

    def __iter__(self) -> Iterator[Cut]:
        for part in self.parts:
            yield from part


@dataclass(frozen=True)
class _Shard:
    path: Path
    read: Callable[[Path], Iterator[Cut]]

    def __iter__(self) -> Iterator[Cut]:
        return self.read(self.path)


def is_shar(folder: Path) -> bool:
    """Whether the folder holds numbered cuts and recordings."""
    return any(folder.glob("cuts.*.jsonl*")) and any(folder.glob("recording.*.tar"))


def shar_shards(folder: Path, domain: str | None = None) -> Shards:
    """The folder's shards as lazily read cuts.

    Raises ValueError where cuts lack their recordings.
    """
    cuts = sorted(folder.glob("cuts.*.jsonl*"))
    for path in cuts:
        if not _recordings(path).exists():
            raise ValueError(f"{path} has no {_recordings(path).name} beside it: copy it again")
    return Shards(cuts, partial(_read_shar, domain=domain))


def _recordings(cuts: Path) -> Path:
    return cuts.with_name(f"recording.{cuts.name.split('.')[1]}.tar")


def _read_shar(path: Path, domain: str | None) -> Iterator[Cut]:
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


def webdataset_shards(tars: list[Path], domain: str | None = None) -> Shards:
    """Archives as lazily read cuts."""
    return Shards(tars, partial(_read_archive, domain=domain))


def _read_archive(archive: Path, domain: str | None) -> Iterator[Cut]:
    for entry, audio in read_samples(archive):
        if audio is None or entry.error is not None:
            yield unreadable_cut(entry.name, entry.error or "no audio", domain)
            continue
        try:
            known = entry.offset is None and entry.duration is not None
            length = None if known else _seconds(audio)
            yield make_cut(entry, audio.reference, length, name=entry.name, domain=domain, kind=TAR)
        except (ValueError, OSError) as error:
            yield unreadable_cut(entry.name, reason(error), domain)


def _seconds(audio: Member) -> float:
    with open_reference(audio.reference) as window:
        return audio_info(window).seconds  # type: ignore[arg-type]
