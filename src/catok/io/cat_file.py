"""The `.cat` file: codes of one recording, bit-packed, every byte under a checksum.

    header   magic "CATK", version, K, sample rate, channels, frame size, codebook size, F, samples,
             weight hash, model id, CRC-32 of each codebook's plane, CRC-32 of the header itself
    plane 1  the F codes of codebook 1, ceil(log2(codebook size)) bits each, padded to whole bytes
    ...
    plane K  the F codes of codebook K

One plane per codebook, coarse to fine: the first k codebooks are the first k planes, so they are
read and verified without touching the rest. All integers are little-endian, packed codes are most
significant bit first. This module knows numpy only; `catok.codes.Encoded` is its user.
"""

import io
import os
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from catok.io.files import StrPath, check_file_object, name_of, replacing

MAGIC = b"CATK"
VERSION = 1
MAX_MODEL_ID_BYTES = 40  # keeps the header of 32 codebooks under 256 bytes
_FIELDS = struct.Struct("<4sHHIHIIIQ8sB")  # magic ... weight hash, length of the model id
_CRC = struct.Struct("<I")
_BLOCK = 1 << 16  # codes unpacked at once


@dataclass(frozen=True)
class CatHeader:
    """What a `.cat` file says of itself; `samples` counts per channel, before the last frame's pad.

    Of a longer `model_id` the first 40 bytes are kept, in whole characters. Raises ValueError for a
    weight hash that is not 16 hex digits (or empty: unknown), and numbers that the format cannot
    hold.
    """

    num_quantizers: int
    sample_rate: int
    channels: int
    frame_size: int
    codebook_size: int
    frames: int
    samples: int
    weight_hash: str = ""
    model_id: str = ""
    plane_checksums: tuple[int, ...] = ()
    version: int = VERSION

    def __post_init__(self) -> None:
        encoded = self.model_id.encode(errors="replace")[:MAX_MODEL_ID_BYTES]
        object.__setattr__(self, "model_id", encoded.decode(errors="ignore"))
        check_weight_hash(self.weight_hash)
        limits = {"num_quantizers": 16, "channels": 16, "sample_rate": 32, "frame_size": 32}
        limits |= {"codebook_size": 32, "frames": 32, "samples": 64}
        for name, bits in limits.items():
            smallest = 2 if name == "codebook_size" else 1
            if not smallest <= getattr(self, name) < 2**bits:
                raise ValueError(
                    f"a .cat file needs {smallest} <= {name} < 2**{bits}, got {getattr(self, name)}"
                )

    @property
    def header_size(self) -> int:
        """Bytes before the first plane; at most 215 for 32 codebooks."""
        return _header_size(len(self.model_id.encode()), self.num_quantizers)

    @property
    def plane_size(self) -> int:
        """Bytes of one codebook's packed codes."""
        return (self.frames * bits_per_code(self.codebook_size) + 7) // 8

    @property
    def file_size(self) -> int:
        """Bytes of the whole file."""
        return self.header_size + self.num_quantizers * self.plane_size

    @property
    def seconds(self) -> float:
        """Length of the recording in seconds."""
        return self.samples / self.sample_rate


def is_cat_file(source: StrPath | BinaryIO) -> bool:
    """Whether a path ends in .cat, or a seekable file begins as one; it stays at its beginning."""
    if isinstance(source, str | os.PathLike):
        return Path(source).suffix.lower() == ".cat"
    start = source.read(len(MAGIC))
    source.seek(-len(start), os.SEEK_CUR)
    return start == MAGIC


def check_weight_hash(text: str) -> None:
    """Raise ValueError unless the text is 16 lower-case hex digits, or empty for unknown."""
    if text and not re.fullmatch("[0-9a-f]{16}", text):
        raise ValueError(f"weight_hash must be 16 lower-case hex digits or empty, got {text!r}")


def bits_per_code(codebook_size: int) -> int:
    """Bits that one code takes in a file: ceil(log2(codebook_size)), 10 for 1024 codes."""
    return (codebook_size - 1).bit_length()


def pack_codes(codes: np.ndarray, codebook_size: int) -> bytes:
    """Pack integers `[F]`, each in [0, codebook_size), into ceil(F * bits / 8) bytes."""
    words = codes.astype(">u4").view(np.uint8).reshape(-1, 4)
    bits = np.unpackbits(words, axis=1)[:, 32 - bits_per_code(codebook_size) :]
    return np.packbits(bits).tobytes()


def unpack_codes(
    data: bytes | memoryview, frames: int, codebook_size: int, out: np.ndarray | None = None
) -> np.ndarray:
    """Undo `pack_codes`: bytes -> int64 `[frames]`, in `out` if given; little memory beside it."""
    width = bits_per_code(codebook_size)
    packed = np.frombuffer(data, dtype=np.uint8)
    codes = np.empty(frames, dtype=np.int64) if out is None else out
    for start in range(0, frames, _BLOCK):
        count = min(_BLOCK, frames - start)
        bits = np.zeros((count, 32), dtype=np.uint8)
        block = packed[start * width // 8 :]  # whole bytes: _BLOCK is a multiple of 8
        bits[:, 32 - width :] = np.unpackbits(block, count=count * width).reshape(count, width)
        codes[start : start + count] = np.packbits(bits, axis=1).view(">u4")[:, 0]
    return codes


def write_cat(path_or_file: StrPath | BinaryIO, header: CatHeader, codes: np.ndarray) -> None:
    """Write codes `[K, F]`; the header's `plane_checksums` are computed here.

    A path is replaced only when the whole file is on disk. Raises ValueError when the shape of
    the codes is not the header's or the folder does not exist.
    """
    if codes.shape != (header.num_quantizers, header.frames):
        expected = (header.num_quantizers, header.frames)
        raise ValueError(f"expected codes [K, F] = {expected}, got {codes.shape}")
    planes = [pack_codes(plane, header.codebook_size) for plane in codes]
    header = replace(header, plane_checksums=tuple(zlib.crc32(plane) for plane in planes))
    data = b"".join([_header_bytes(header), *planes])
    if not isinstance(path_or_file, (str, os.PathLike)):
        path_or_file.write(data)
        return
    with replacing(path_or_file) as temporary, open(temporary, "wb") as file:
        file.write(data)


def read_cat(
    path_or_file: StrPath | BinaryIO, num_quantizers: int | None = None
) -> tuple[CatHeader, np.ndarray]:
    """Read a file: its header and int64 codes `[k, F]`, k = num_quantizers (None: all of them).

    Only the bytes of the first k codebooks are read. Raises ValueError when the file is missing,
    damaged, cut short, longer than its header says or written by a newer version, or when it
    holds fewer codebooks than asked for.
    """
    with _opened(path_or_file) as (file, name, size):
        header = _read_header(file, name, size)
        wanted = header.num_quantizers if num_quantizers is None else num_quantizers
        if not 1 <= wanted <= header.num_quantizers:
            raise ValueError(
                f"{name} holds {header.num_quantizers} codebooks: ask for 1 to "
                f"{header.num_quantizers}, not {wanted}"
            )
        data = memoryview(_read(file, wanted * header.plane_size, name))
    codes = np.empty((wanted, header.frames), dtype=np.int64)
    for k in range(wanted):
        plane = data[k * header.plane_size : (k + 1) * header.plane_size]
        if zlib.crc32(plane) != header.plane_checksums[k]:
            raise ValueError(f"{name} is damaged (codebook {k + 1}): copy or encode it again")
        unpack_codes(plane, header.frames, header.codebook_size, codes[k])
    return header, codes


def read_header(path_or_file: StrPath | BinaryIO) -> CatHeader:
    """Read and verify the header and the file's length, not the codes.

    Raises ValueError as `read_cat` does.
    """
    with _opened(path_or_file) as (file, name, size):
        return _read_header(file, name, size)


@contextmanager
def _opened(path_or_file: StrPath | BinaryIO) -> Iterator[tuple[BinaryIO, str, int]]:
    """Yield a file positioned at its header, a name for messages, and the bytes it holds."""
    if isinstance(path_or_file, (str, os.PathLike)):
        try:
            file = io.FileIO(path_or_file)  # unbuffered: no read-ahead into other planes
        except OSError as error:
            raise ValueError(f"cannot open {path_or_file}: {error.strerror}") from error
        with file:
            yield file, str(path_or_file), os.fstat(file.fileno()).st_size
        return
    check_file_object(path_or_file)
    file = path_or_file if path_or_file.seekable() else io.BytesIO(path_or_file.read())
    start = file.tell()
    size = file.seek(0, os.SEEK_END) - start
    file.seek(start)
    yield file, name_of(path_or_file), size


def _read_header(file: BinaryIO, name: str, size: int) -> CatHeader:
    start = _read(file, min(size, _FIELDS.size), name)
    if start[:4] != MAGIC:
        raise ValueError(f"{name} is not a .cat file: `catok encode` makes one from audio")
    if size < _FIELDS.size:
        raise ValueError(f"{name} is cut short: copy or encode it again")
    _, version, num_quantizers, *numbers, weight_hash, id_length = _FIELDS.unpack(start)
    if version > VERSION:
        raise ValueError(f"{name} is of version {version}, written by a newer catok: upgrade catok")
    header_size = _header_size(id_length, num_quantizers)
    rest = _read(file, header_size - _FIELDS.size, name)
    body, checksum = start + rest[: -_CRC.size], rest[-_CRC.size :]
    if version < 1 or id_length > MAX_MODEL_ID_BYTES or _CRC.pack(zlib.crc32(body)) != checksum:
        raise ValueError(f"{name} is damaged (header): copy or encode it again")
    header = CatHeader(
        num_quantizers,
        *numbers,
        weight_hash=weight_hash.hex() if any(weight_hash) else "",
        model_id=_decoded(rest[:id_length], name),
        plane_checksums=struct.unpack(f"<{num_quantizers}I", body[_FIELDS.size + id_length :]),
        version=version,
    )
    if size != header.file_size:
        state = "cut short" if size < header.file_size else "longer than its header says"
        raise ValueError(
            f"{name} is {state} ({size} bytes, expected {header.file_size}): "
            "copy or encode it again"
        )
    return header


def _decoded(model_id: bytes, name: str) -> str:
    try:
        return model_id.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is damaged (model id): copy or encode it again") from error


def _header_bytes(header: CatHeader) -> bytes:
    model_id = header.model_id.encode()
    fields = _FIELDS.pack(
        MAGIC,
        header.version,
        header.num_quantizers,
        header.sample_rate,
        header.channels,
        header.frame_size,
        header.codebook_size,
        header.frames,
        header.samples,
        bytes.fromhex(header.weight_hash),  # "" becomes eight zero bytes
        len(model_id),
    )
    checksums = struct.pack(f"<{header.num_quantizers}I", *header.plane_checksums)
    body = fields + model_id + checksums
    return body + _CRC.pack(zlib.crc32(body))


def _header_size(id_length: int, num_quantizers: int) -> int:
    return _FIELDS.size + id_length + (num_quantizers + 1) * _CRC.size


def _read(file: BinaryIO, count: int, name: str) -> bytes:
    """Read exactly `count` bytes; an unbuffered file may give them in several pieces."""
    pieces: list[bytes] = []
    while count > 0:
        piece = file.read(count)
        if not piece:
            raise ValueError(f"{name} is cut short: copy or encode it again")
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)
