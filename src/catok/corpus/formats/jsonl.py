"""JSON lines with the keys that fine-tuning scripts of token language models read.

`audio_codes` is a nested list `[F][K]`, beside `audio`, `text` and whatever else the input said:
what MOSS-TTS and Qwen3-TTS read. `tokenizer` names the code space in every line, so that lines may
be joined and split.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from catok.corpus.formats.base import ShardFormat, check_columns
from catok.corpus.token_row import CodeSpace, TokenRow
from catok.data.jsonl import read_jsonl
from catok.io.files import replacing

OWN = ("id", "audio_codes", "num_samples", "tokenizer")


class JsonlFormat(ShardFormat):
    """See the module."""

    name, suffix = "jsonl", ".jsonl"

    def write(self, path: Path, rows: Sequence[TokenRow], space: CodeSpace) -> None:
        with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
            for row in rows:
                check_columns(row)
                line = {
                    "id": row.id,
                    **row.columns,
                    "audio_codes": row.codes.tolist(),
                    "num_samples": row.samples,
                    "tokenizer": space.to_dict(),
                }
                file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")

    def read(self, path: Path, num_quantizers: int | None = None) -> Iterator[TokenRow]:
        for number, line in read_jsonl(path):
            yield _row(line, f"{path}, line {number}").prefix(num_quantizers)

    def space(self, path: Path) -> CodeSpace:
        _, line = next(read_jsonl(path), (0, {}))
        if not isinstance(line.get("tokenizer"), dict):
            raise ValueError(f"{path} does not say which codes it holds: it is no token shard")
        return CodeSpace.from_dict(line["tokenizer"])


def _row(line: dict[str, Any], where: str) -> TokenRow:
    try:
        codes = np.array(line["audio_codes"], dtype=np.uint16)
        if codes.ndim != 2:
            raise ValueError("audio_codes must be a list of frames, each a list of codes")
        columns = {key: value for key, value in line.items() if key not in OWN}
        return TokenRow(str(line["id"]), codes, int(line["num_samples"]), columns)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{where} is no row of tokens: {error}") from error
