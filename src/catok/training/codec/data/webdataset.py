"""WebDataset archives as streams of cuts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from catok.audio import audio_info
from catok.data.tar import Member, open_reference
from catok.data.webdataset import read_samples
from catok.io.files import reason
from catok.training.codec.data.cuts import TAR, make_cut, unreadable_cut
from catok.training.codec.data.shards import Shards

if TYPE_CHECKING:
    from lhotse.cut.data import DataCut as Cut


def shards(tars: list[Path], domain: str | None = None) -> Shards:
    """Archives as lazily read cuts."""
    return Shards(tars, partial(_read, domain=domain))


def _read(archive: Path, domain: str | None) -> Iterator[Cut]:
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
