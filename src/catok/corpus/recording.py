"""One recording of an input, wherever its audio lies."""

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, BinaryIO, Literal, cast

import torch
from torch import Tensor

from catok.audio import load_crop, read_blocks
from catok.audio.mixing import mix
from catok.audio.resampling import resample
from catok.data.tar import open_reference
from catok.io.remote import is_url, opened, read_url

Source = Literal["file", "tar", "parquet", "cut"]


@dataclass(frozen=True)
class Recording:
    """One recording: where its audio is and everything that the input says of it.

    `audio`, by `source`: a path or URL ("file"); `archive:offset:size` ("tar");
    `table:column:group:row` ("parquet"); a lhotse cut as JSON ("cut"). `offset` and `duration` in
    seconds where only a part of it is meant. `version`: changes when the file is replaced. `part`:
    which shard of a Shar folder it is of. `seconds`: its length, where the input says it. `error`:
    why it cannot be used.
    """

    id: str
    audio: str
    source: Source = "file"
    offset: float | None = None
    duration: float | None = None
    columns: dict[str, Any] = field(default_factory=dict)
    version: str = ""
    part: int | None = None
    seconds: float | None = None
    error: str | None = None

    @property
    def name(self) -> str:
        """What to call its audio in messages."""
        return str(self.columns.get("audio", self.id)) if self.source != "file" else self.audio

    def blocks(self, sample_rate: int, channels: int, seconds: float = 10.0) -> Iterator[Tensor]:
        """Its audio `[C, n]` at this rate, block by block.

        Raises ValueError or OSError, where it is reached, on what cannot be read.
        """
        if self.error is not None:
            raise ValueError(self.error)
        if self.source == "cut":
            yield _cut_audio(self.audio, sample_rate, channels)
            return
        with ExitStack() as stack:
            file: Any = self.audio
            if self.source != "file" or is_url(file):
                file = stack.enter_context(closing(self.open()))
            if self.offset is None:
                yield from read_blocks(file, sample_rate, channels, seconds)
            else:
                length = 1e7 if self.duration is None else self.duration
                yield load_crop(
                    file, self.offset, length, sample_rate=sample_rate, channels=channels
                )

    def open(self) -> BinaryIO:
        """The bytes of its audio, as a file. Raises ValueError or OSError where they are gone."""
        if self.source == "parquet":
            table, column, group, row = self.audio.rsplit(":", 3)
            return io.BytesIO(_cell(table, column, int(group), int(row)))
        if self.source == "tar":
            if is_url(self.audio):
                return _remote_member(self.audio)
            return cast(BinaryIO, open_reference(self.audio))
        return read_url(self.audio) if is_url(self.audio) else open(self.audio, "rb")

    def content_hash(self) -> str:
        """SHA-256 of the bytes of its audio; "" where they cannot be read, which is said later."""
        if self.error is not None or self.source == "cut":
            return ""
        try:
            with self.open() as file:
                return hashlib.file_digest(file, "sha256").hexdigest()[:32]  # type: ignore[arg-type]
        except (OSError, ValueError):
            return ""


def _remote_member(reference: str) -> BinaryIO:
    archive, offset, size = reference.rsplit(":", 2)
    with opened(archive) as file:
        file.seek(int(offset))
        return io.BytesIO(file.read(int(size)))


@lru_cache(maxsize=1)
def _group(table: str, column: str, group: int) -> Any:
    """The audio of a row group; recordings come in order, so that each is read once."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with opened(table) as file:
            return pq.ParquetFile(file).read_row_group(group, columns=[column])[column]
    except pa.ArrowException as error:
        raise ValueError(f"{table} is damaged: {error}") from error


def _cell(table: str, column: str, group: int, row: int) -> bytes:
    value = _group(table, column, group)[row].as_py()
    content = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(content, bytes):
        raise ValueError(f"{table} holds no audio in row {row} of group {group}")
    return content


def _cut_audio(cut: str, sample_rate: int, channels: int) -> Tensor:
    """The audio `[C, T]` of a cut as lhotse reads it: mixes, paddings and speeds included."""
    from lhotse.serialization import deserialize_item

    try:
        lhotse_cut = deserialize_item(json.loads(cut))
        samples = lhotse_cut.load_audio()
        rate = lhotse_cut.sampling_rate
    except Exception as error:  # lhotse raises what its backends do
        raise ValueError(f"lhotse cannot read it: {error}") from error
    if samples is None:
        raise ValueError("the cut has no recording")
    audio = mix(torch.from_numpy(samples).float().clamp(-1, 1), channels)
    return resample(audio, rate, sample_rate)
