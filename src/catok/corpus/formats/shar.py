"""lhotse Shar as NeMo keeps codes: codes.000000.tar next to cuts.000000.jsonl.gz.

    CutSet.from_shar(fields={"cuts": [...], "target_codes": [...]})

gives cuts whose `target_codes.load()` is `[K, T]`, int16 or, for large codebooks,
int32. Cuts of the input stay as they are, with all their fields, so that their own recordings and
features may be named beside the codes; other recordings become cuts of their own. A row of no codes
stands for a cut whose recording failed: it keeps its place, with lhotse's sign for a field that is
not there. The archive is written last: a shard without one is not there.
"""

import gzip
import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from catok.corpus.formats.base import ShardFormat, check_columns
from catok.corpus.token_row import CodeSpace, TokenRow
from catok.data.jsonl import read_jsonl
from catok.data.tar import Member, members
from catok.io.files import replacing
from catok.io.json import parse_object

FIELD = "target_codes"
CATOK = "catok"  # key of cuts' custom fields: what is not lhotse's


class SharFormat(ShardFormat):
    """See the module."""

    name, suffix, pattern = "shar", ".tar", "c*s.{index:06d}.*"

    def file_name(self, index: int) -> str:
        return f"codes.{index:06d}.tar"

    def write(self, path: Path, rows: Sequence[TokenRow], space: CodeSpace) -> None:
        for row in rows:
            check_columns(row)
        with (
            replacing(_cuts(path)) as temporary,
            open(temporary, "wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        ):
            for row in rows:
                line = json.dumps(_cut(row, space), ensure_ascii=False) + "\n"
                packed.write(line.encode("utf-8", "surrogatepass"))
        with (
            replacing(path) as temporary,
            tarfile.open(temporary, "w", format=tarfile.GNU_FORMAT) as archive,
        ):
            for row in rows:
                if not row.codes.size:
                    _add(archive, f"{row.id}.nodata", b"")
                    _add(archive, f"{row.id}.nometa", b"")
                    continue
                codes = np.ascontiguousarray(row.codes.T.astype(_dtype(space)))
                content = io.BytesIO()
                np.save(content, codes, allow_pickle=False)
                _add(archive, f"{row.id}.npy", content.getvalue())
                manifest = json.dumps(_manifest(codes, space)) + "\n"
                _add(archive, f"{row.id}.json", manifest.encode())

    def read(self, path: Path, num_quantizers: int | None = None) -> Iterator[TokenRow]:
        files = members(path)
        for _, cut in read_jsonl(_cuts(path)):
            try:
                codes, _ = next(files), next(files)
                if codes.name.endswith(".nodata"):
                    continue
                facts = cut["custom"][CATOK]
                yield TokenRow(
                    str(facts["id"]),
                    _codes(codes)[:num_quantizers].T.astype(np.uint16),
                    int(facts["num_samples"]),
                    dict(facts["columns"]),
                )
            except (StopIteration, KeyError, TypeError, ValueError, OSError) as error:
                raise ValueError(f"{path} is damaged or no token shard: {error}") from error

    def space(self, path: Path) -> CodeSpace:
        for _, cut in read_jsonl(_cuts(path)):
            facts = (cut.get("custom") or {}).get(CATOK)
            if isinstance(facts, dict) and isinstance(facts.get("tokenizer"), dict):
                return CodeSpace.from_dict(facts["tokenizer"])
            break
        raise ValueError(f"{path} does not say which codes it holds: it is no token shard")


def _cuts(path: Path) -> Path:
    return path.parent / f"cuts.{path.name.split('.')[1]}.jsonl.gz"


def _dtype(space: CodeSpace) -> str:
    return "<i2" if space.codebook_size <= 1 << 15 else "<i4"


def _cut(row: TokenRow, space: CodeSpace) -> dict[str, Any]:
    """The row's own cut, or a new one of a recording that is not in the archive."""
    columns = dict(row.columns)
    cut = parse_object(columns["cut"], f"the cut of {row.id}") if "cut" in columns else {}
    seconds = row.samples / space.sample_rate
    if not cut:
        said = {"id": row.id, "recording_id": row.id, "start": 0, "duration": seconds, "channel": 0}
        for key in ("text", "language", "speaker"):
            if isinstance(columns.get(key), str):
                said[key] = columns[key]
        cut = {
            "id": row.id,
            "start": 0,
            "duration": seconds,
            "channel": 0,
            "supervisions": [said],
            "type": "MonoCut",
        }
    facts = {
        "id": row.id,
        "num_samples": row.samples,
        "columns": columns,
        "tokenizer": space.to_dict(),
    }
    return cut | {"id": row.id, "custom": (cut.get("custom") or {}) | {CATOK: facts}}


def _manifest(codes: np.ndarray, space: CodeSpace) -> dict[str, Any]:
    """lhotse's TemporalArray of codes that lie in the archive."""
    array = {
        "storage_type": "shar",
        "storage_path": "",
        "storage_key": "",
        "shape": list(codes.shape),
    }
    shift = space.frame_size / space.sample_rate
    return {"array": array, "temporal_dim": -1, "frame_shift": shift, "start": 0}


def _codes(member: Member) -> np.ndarray:
    codes = np.load(io.BytesIO(member.read(1 << 30)), allow_pickle=False)
    if codes.ndim != 2 or codes.dtype.kind != "i":
        raise ValueError(f"codes must be integers [K, F], got {codes.dtype} {list(codes.shape)}")
    return codes


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))
