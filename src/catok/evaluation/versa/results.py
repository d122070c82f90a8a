"""VERSA's result files as rows of ours.

VERSA writes one utterance a line, as JSON with NaN and Infinity, in older versions as a Python
dictionary: its `key`, figures by name, texts, and records of its own that begin with "_".
"""

import ast
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from catok.data.lines import numbered_lines
from catok.evaluation.versa.export import UTTERANCES

COLUMN_PREFIX = "versa_"
_COUNT = re.compile(r"(?P<rate>.*_[wc]er)_(?P<kind>delete|insert|replace|equal)$")

Row = dict[str, Any]


def read_versa(path: str | Path) -> dict[str, dict[str, float]]:
    """Figures of each utterance, by VERSA's key. What is no finite number is left out.

    Raises ValueError, with file and line, on a malformed line and on a key that comes twice.
    """
    path = Path(path)
    by_key: dict[str, dict[str, float]] = {}
    for number, line in numbered_lines(path):
        data = _parse(line)
        if not isinstance(data, dict) or not isinstance(data.get("key"), str):
            raise ValueError(f'{path}, line {number}: needs a VERSA result with a "key"')
        if data["key"] in by_key:
            raise ValueError(f"{path}, line {number}: {data['key']} comes twice")
        by_key[data["key"]] = {k: float(v) for k, v in data.items() if _is_figure(k, v)}
    return by_key


def versa_rows(folder: str | Path, results: str | Path | None = None) -> list[Row]:
    """The results of a folder that `VersaFolder` wrote, as rows with our names of the utterances.

    `results`: by default result.jsonl in the folder. Figures are called "versa_..."; an utterance
    that VERSA passed over has none. Raises ValueError where the results are of other utterances.
    """
    path = Path(results) if results is not None else Path(folder, "result.jsonl")
    by_key = read_versa(path)
    rows = []
    for number, line in numbered_lines(Path(folder, UTTERANCES)):
        identity = _parse(line)
        if not isinstance(identity, dict) or "versa" not in identity:
            raise ValueError(f"{Path(folder, UTTERANCES)}, line {number}: damaged, export again")
        figures = by_key.pop(identity.pop("versa"), {})
        rows.append(identity | {COLUMN_PREFIX + name: value for name, value in figures.items()})
    if by_key:
        raise ValueError(
            f"{path} has {next(iter(by_key))}, which {folder} does not: is it another folder's?"
        )
    return rows


def join_versa_rows(ours: Sequence[Row], versa: Sequence[Row]) -> list[Row]:
    """Our rows with VERSA's figures added; rows that VERSA has not scored stay as they are.

    Rows belong together by what names them in both: `id`, or `key`, `system` and `setting`. Raises
    ValueError where VERSA has a row that we have not.
    """
    figures = {_name(row): row for row in versa}
    strange = figures.keys() - {_name(row) for row in ours}
    if strange:
        raise ValueError(f"VERSA has scored {sorted(strange)[0]}, of which there is no row here")
    return [row | figures.get(_name(row), {}) for row in ours]


def versa_means(rows: Sequence[Row]) -> dict[str, float]:
    """Mean of each of VERSA's figures over the rows that have it.

    Its counts of word and character errors are added up instead, and give the corpus's rate in per
    cent as "..._wer" and "..._cer".
    """
    names = dict.fromkeys(name for row in rows for name in row if name.startswith(COLUMN_PREFIX))
    means: dict[str, float] = {}
    counts: dict[str, dict[str, float]] = {}
    for name in names:
        values = [row[name] for row in rows if name in row]
        match = _COUNT.match(name)
        if match:
            counts.setdefault(match["rate"], {})[match["kind"]] = sum(values)
        else:
            means[name] = fmean(values)
    for rate, kinds in counts.items():
        wrong = {kind: kinds.get(kind, 0) for kind in ("delete", "replace", "insert")}
        length = wrong["delete"] + wrong["replace"] + kinds.get("equal", 0)
        if length:
            means[rate] = 100 * sum(wrong.values()) / length
    return means


def _name(row: Mapping[str, Any]) -> tuple[str, ...]:
    names = ("id",) if "id" in row else ("key", "system", "setting")
    if not all(isinstance(row.get(name), str) for name in names):
        raise ValueError("a row has neither an id nor key, system and setting: give rows.jsonl")
    return tuple(row[name] for name in names)


def _parse(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(re.sub(r"(?<=: )-?(nan|inf)(?=[,}])", "None", line))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


def _is_figure(name: str, value: Any) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return not name.startswith("_") and abs(value) < 1e300
    return not name.startswith("_") and isinstance(value, float) and math.isfinite(value)
