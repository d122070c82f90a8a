"""WebDataset archives: per recording its codes and a .json of id, length, columns and code space.

"webdataset" holds codes as .npy, uint16 `[F, K]`; "cat" as .cat files, which are bit-packed,
checksummed and read by prefix. Members are numbered, since WebDataset cuts names at their dots.
"""

import io
import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from catok.corpus.formats.base import ShardFormat, check_columns
from catok.corpus.token_row import CodeSpace, TokenRow
from catok.data.tar import Member, members, open_reference
from catok.io.cat_file import CatHeader, read_cat, write_cat
from catok.io.files import replacing
from catok.io.json import parse_object

Encode = Callable[[TokenRow, CodeSpace], bytes]
Decode = Callable[[BinaryIO, int | None], np.ndarray]


class TarFormat(ShardFormat):
    """Archives whose codes have one kind of member. `decode` reads codes `[F, K]`."""

    suffix = ".tar"

    def __init__(self, name: str, extension: str, encode: Encode, decode: Decode) -> None:
        self.name = name
        self._extension, self._encode, self._decode = extension, encode, decode

    def write(self, path: Path, rows: Sequence[TokenRow], space: CodeSpace) -> None:
        with (
            replacing(path) as temporary,
            tarfile.open(temporary, "w", format=tarfile.GNU_FORMAT) as archive,
        ):
            for number, row in enumerate(rows):
                check_columns(row)
                facts = {
                    "id": row.id,
                    "num_samples": row.samples,
                    "columns": dict(row.columns),
                    "tokenizer": space.to_dict(),
                }
                content = json.dumps(facts, ensure_ascii=False).encode("utf-8", "surrogatepass")
                _add(archive, f"{number:06d}{self._extension}", self._encode(row, space))
                _add(archive, f"{number:06d}.json", content)

    def read(self, path: Path, num_quantizers: int | None = None) -> Iterator[TokenRow]:
        for codes, facts in self._pairs(path):
            try:
                keys = parse_object(facts.read(), facts.name)
                with closing(open_reference(codes.reference)) as file:
                    read = self._decode(cast(BinaryIO, file), num_quantizers)
                row = TokenRow(str(keys["id"]), read, int(keys["num_samples"]), keys["columns"])
            except (KeyError, TypeError, ValueError, OSError, EOFError) as error:
                raise ValueError(f"{path} is damaged: {codes.name}: {error}") from error
            yield row.prefix(num_quantizers)

    def space(self, path: Path) -> CodeSpace:
        for _, facts in self._pairs(path):
            data = parse_object(facts.read(), facts.name).get("tokenizer")
            if isinstance(data, dict):
                return CodeSpace.from_dict(data)
            break
        raise ValueError(f"{path} does not say which codes it holds: it is no token shard")

    def _pairs(self, path: Path) -> Iterator[tuple[Member, Member]]:
        files = members(path)
        for codes in files:
            facts = next(files, None)
            if facts is None or not codes.name.endswith(self._extension):
                raise ValueError(f"{path} holds no {self.name} rows: {codes.name}")
            yield codes, facts


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _as_npy(row: TokenRow, space: CodeSpace) -> bytes:
    file = io.BytesIO()
    np.save(file, row.codes)
    return file.getvalue()


def _from_npy(file: BinaryIO, num_quantizers: int | None) -> np.ndarray:
    codes = np.load(io.BytesIO(file.read()), allow_pickle=False)
    if codes.ndim != 2 or codes.dtype != np.uint16:
        raise ValueError(f"codes must be uint16 [F, K], got {codes.dtype} {list(codes.shape)}")
    return codes


def _as_cat(row: TokenRow, space: CodeSpace) -> bytes:
    file = io.BytesIO()
    header: dict[str, Any] = {
        "num_quantizers": row.codes.shape[1],
        "sample_rate": space.sample_rate,
        "channels": space.channels,
        "frame_size": space.frame_size,
        "codebook_size": space.codebook_size,
        "frames": row.frames,
        "samples": row.samples,
        "weight_hash": space.weight_hash,
        "model_id": space.model,
    }
    write_cat(file, CatHeader(**header), row.codes.T.astype(np.int64))
    return file.getvalue()


def _from_cat(file: BinaryIO, num_quantizers: int | None) -> np.ndarray:
    _, codes = read_cat(file, num_quantizers)
    return codes.T.astype(np.uint16)


WEBDATASET = TarFormat("webdataset", ".npy", _as_npy, _from_npy)
CAT = TarFormat("cat", ".cat", _as_cat, _from_cat)
