"""`Encoded`: the codes of a batch of recordings, how long each one is, and what made them."""

import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import torch
from torch import Tensor

from catok.io.arrays import as_tensor
from catok.io.cat_file import CatHeader, StrPath, check_weight_hash, read_cat, write_cat


@dataclass(frozen=True, eq=False, repr=False)
class Encoded:
    """Codes of a batch with their lengths and provenance.

    codes           [B, K, F] int64 in [0, codebook_size); beyond a row's own frames: any pad code
    sample_lengths  [B] int64, samples per channel of each row, at least 1
    sample_rate     samples per second, the model's; `encode` cannot tell whether its audio had it
    channels        audio channels that the codes stand for
    frame_size      samples per channel of one frame
    codebook_size   codes per codebook
    model_id        name of the tokenizer ("" when unknown)
    weight_hash     16 hex digits that identify its weights ("" when unknown)

    Codes and lengths may be given as NumPy arrays. A batch is a sequence of its rows: `len(batch)`
    is B, `batch[i]` a batch of one, trimmed to its own length, `batch[i:j]` the rows of a slice.
    Raises ValueError when these do not fit together: wrong dtype or layout, a code outside the
    codebook, or F different from the longest row's number of frames.
    """

    codes: Tensor
    sample_lengths: Tensor
    sample_rate: int
    channels: int
    frame_size: int
    codebook_size: int
    model_id: str = ""
    weight_hash: str = ""

    def __post_init__(self) -> None:
        for name in ("sample_rate", "channels", "frame_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.codebook_size < 2:
            raise ValueError(f"codebook_size must be at least 2, got {self.codebook_size}")
        check_weight_hash(self.weight_hash)
        object.__setattr__(self, "codes", as_tensor(self.codes, "codes [B, K, F]"))
        lengths = as_tensor(self.sample_lengths, "sample_lengths [B]")
        object.__setattr__(self, "sample_lengths", lengths)
        _check_layout(self.codes, self.sample_lengths, self.frame_size)
        _check_range(self.codes, self.codebook_size)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # what was pickled is checked as well

    @property
    def batch_size(self) -> int:
        """B, the number of rows."""
        return self.codes.shape[0]

    @property
    def num_quantizers(self) -> int:
        """K, the number of codebooks."""
        return self.codes.shape[1]

    @property
    def frame_lengths(self) -> Tensor:
        """[B] int64, frames of each row: ceil(sample_lengths / frame_size)."""
        return _frames(self.sample_lengths, self.frame_size)

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.frame_size

    @property
    def duration(self) -> Tensor:
        """[B] float64, seconds of each row."""
        return self.sample_lengths.double() / self.sample_rate

    @property
    def bitrate(self) -> float:
        """Bits per second of all K codebooks: K * log2(codebook_size) * frame_rate."""
        return self.num_quantizers * math.log2(self.codebook_size) * self.frame_rate

    def prefix(self, num_quantizers: int) -> "Encoded":
        """Keep the first `num_quantizers` codebooks; ValueError when there are not so many."""
        if not 1 <= num_quantizers <= self.num_quantizers:
            raise ValueError(
                f"these codes have {self.num_quantizers} codebooks: ask for 1 to "
                f"{self.num_quantizers}, not {num_quantizers}"
            )
        return replace(self, codes=self.codes[:, :num_quantizers])

    def __len__(self) -> int:
        """The number of rows B."""
        return self.batch_size

    def __getitem__(self, index: int | slice) -> "Encoded":
        """Row `index`, or the rows of a slice, as a batch of F frames, the longest row's own.

        Raises IndexError beyond the rows and ValueError for a slice without any.
        """
        if not isinstance(index, slice):
            index = operator.index(index)
            if not -self.batch_size <= index < self.batch_size:
                raise IndexError(f"row {index} of a batch of {self.batch_size}")
            index = slice(index % self.batch_size, index % self.batch_size + 1)
        rows = list(range(*index.indices(self.batch_size)))
        if not rows:
            raise ValueError(f"no rows in {index} of a batch of {self.batch_size}")
        lengths = self.sample_lengths[rows]
        frames = int(_frames(lengths.max(), self.frame_size))
        return replace(self, codes=self.codes[rows, :, :frames], sample_lengths=lengths)

    def __iter__(self) -> Iterator["Encoded"]:
        return (self[row] for row in range(self.batch_size))

    def rows(self) -> Iterator["Encoded"]:
        """Every row in order, each trimmed to its own length."""
        return iter(self)

    def __repr__(self) -> str:
        shortest, longest = float(self.duration.min()), float(self.duration.max())
        span = "" if shortest == longest else f"{shortest:.2f} to "
        return (
            f"Encoded(batch_size={self.batch_size}, duration={span}{longest:.2f} s, "
            f"num_quantizers={self.num_quantizers}, bitrate={self.bitrate / 1000:g} kbit/s, "
            f"sample_rate={self.sample_rate}, channels={self.channels}, "
            f"model_id={self.model_id!r}, weight_hash={self.weight_hash!r})"
        )

    @staticmethod
    def stack(items: Sequence["Encoded"]) -> "Encoded":
        """All rows of all items in one batch; shorter rows are padded with code 0.

        Raises ValueError for no items, or items that differ in anything but codes and lengths.
        """
        if not items:
            raise ValueError("nothing to stack: give at least one Encoded")
        first = items[0]
        for name in (
            "num_quantizers",
            "sample_rate",
            "channels",
            "frame_size",
            "codebook_size",
            "model_id",
            "weight_hash",
        ):
            values = {getattr(item, name) for item in items}
            if len(values) > 1:
                hint = ": cut them with prefix() first" if name == "num_quantizers" else ""
                raise ValueError(f"cannot stack codes that differ in {name} {values}{hint}")
        frames = max(item.codes.shape[2] for item in items)
        padded = [
            torch.nn.functional.pad(item.codes, (0, frames - item.codes.shape[2])) for item in items
        ]
        lengths = torch.cat([item.sample_lengths for item in items])
        return replace(first, codes=torch.cat(padded), sample_lengths=lengths)

    def to(self, device: torch.device | str) -> "Encoded":
        """The same codes and lengths on `device`."""
        codes, lengths = self.codes.to(device), self.sample_lengths.to(device)
        return replace(self, codes=codes, sample_lengths=lengths)

    def save(self, path_or_file: StrPath | BinaryIO) -> None:
        """Write a batch of 1 to a `.cat` file; a path is replaced at once.

        Of a longer `model_id` the first 40 bytes are written. Raises ValueError for a larger batch
        or a missing folder.
        """
        if self.batch_size != 1:
            raise ValueError(
                f"a .cat file holds one row, this batch has {self.batch_size}: save them one by "
                'one: `for i, row in enumerate(enc.rows()): row.save(f"{i}.cat")`'
            )
        header = CatHeader(
            num_quantizers=self.num_quantizers,
            sample_rate=self.sample_rate,
            channels=self.channels,
            frame_size=self.frame_size,
            codebook_size=self.codebook_size,
            frames=self.codes.shape[2],
            samples=int(self.sample_lengths),
            weight_hash=self.weight_hash,
            model_id=self.model_id,
        )
        write_cat(path_or_file, header, self.codes[0].cpu().numpy())

    @staticmethod
    def load(path_or_file: StrPath | BinaryIO, num_quantizers: int | None = None) -> "Encoded":
        """Read a `.cat` file as a batch of 1 on the CPU, codes [1, K, F].

        With `num_quantizers` only the bytes of that many first codebooks are read. Raises
        ValueError when the file is missing, damaged, cut short, too long, of a newer version, or
        holds fewer codebooks than asked for.
        """
        header, codes = read_cat(path_or_file, num_quantizers)
        return Encoded(
            codes=torch.from_numpy(codes)[None],
            sample_lengths=torch.tensor([header.samples], device="cpu"),
            sample_rate=header.sample_rate,
            channels=header.channels,
            frame_size=header.frame_size,
            codebook_size=header.codebook_size,
            model_id=header.model_id,
            weight_hash=header.weight_hash,
        )


torch.serialization.add_safe_globals(
    [Encoded]
)  # torch.load takes it with weights_only, its default


def _frames(sample_lengths: Tensor, frame_size: int) -> Tensor:
    return (sample_lengths + frame_size - 1) // frame_size


def _check_layout(codes: Tensor, lengths: Tensor, frame_size: int) -> None:
    for name, tensor in (("codes", codes), ("sample_lengths", lengths)):
        if tensor.dtype != torch.int64:
            raise ValueError(f"{name} must be int64, got {tensor.dtype}: convert with `.long()`")
    if codes.dim() != 3:
        hint = ": add the batch dimension with `codes[None]`" if codes.dim() == 2 else ""
        raise ValueError(f"expected codes [B, K, F], got shape {list(codes.shape)}{hint}")
    if 0 in codes.shape:
        raise ValueError(f"codes [B, K, F] = {list(codes.shape)} are empty: nothing was encoded")
    if lengths.dim() != 1:
        raise ValueError(f"expected sample_lengths [B], got shape {list(lengths.shape)}")
    batch, quantizers, frames = codes.shape
    if len(lengths) != batch:
        hint = (
            ": these look like [K, B, F], use `codes.transpose(0, 1)`"
            if len(lengths) == quantizers
            else ""
        )
        raise ValueError(
            f"expected codes [B, K, F] with B = {len(lengths)} sample_lengths, got shape "
            f"{list(codes.shape)}{hint}"
        )
    if int(lengths.min()) < 1:
        raise ValueError(f"every row needs at least 1 sample, got {lengths.tolist()}: drop it")
    longest = int(_frames(lengths.max(), frame_size))
    if frames != longest:
        hint = (
            "these look like [B, F, K], use `codes.transpose(1, 2)`"
            if quantizers == longest
            else "sample_lengths count samples per channel, not frames"
        )
        raise ValueError(
            f"the longest row has {longest} frames of {frame_size} samples, but codes [B, K, F] "
            f"have F = {frames}: {hint}"
        )


def _check_range(codes: Tensor, codebook_size: int) -> None:
    smallest, largest = (int(value) for value in codes.aminmax())
    if smallest < 0 or largest >= codebook_size:
        wrong = smallest if smallest < 0 else largest
        raise ValueError(
            f"codes must lie in [0, {codebook_size}), found {wrong}. Is it the pad token of a "
            "language model? Remove it or mask it"
        )
