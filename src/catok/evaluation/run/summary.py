"""From rows to a summary: per system, setting and domain the mean of every figure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from catok.evaluation.metrics.base import Column
from catok.evaluation.metrics.codes import CodeUse
from catok.evaluation.rowfile import Row
from catok.evaluation.run.codes import use_of_codes
from catok.evaluation.run.examples import clip_path
from catok.evaluation.run.record import Kind, SystemFacts
from catok.evaluation.run.recordings import Recording
from catok.evaluation.run.rows import broken, failed
from catok.evaluation.run.statistics import Estimate, mean, ratio

ALL = "all"
POOLED = {  # rates over a corpus: errors and what they are counted of
    "wer": ("word_errors", "words"),
    "cer": ("char_errors", "chars"),
    "wer_original": ("word_errors_original", "words_original"),
    "cer_original": ("char_errors_original", "chars_original"),
}


@dataclass(frozen=True)
class Group:
    """One system at one setting over the recordings of one domain, "all" for all of them.

    `files`: rows; `failed`: rows of them without any figure; `kbps`: all bits over all seconds of
    the recordings coded; `encode_rtf`, `decode_rtf`: wall seconds per second of audio.
    """

    system: str
    setting: str
    kind: Kind
    domain: str
    files: int
    failed: int
    seconds: float
    kbps: float | None
    num_quantizers: int | None
    encode_rtf: float | None
    decode_rtf: float | None
    figures: dict[str, Estimate]


@dataclass(frozen=True)
class Failure:
    """Something that went wrong, or a flag: at one setting, or "" for the recording as a whole."""

    key: str
    system: str
    setting: str
    flag: str
    error: str


@dataclass(frozen=True)
class Clip:
    """What one system made of an example; `path` relative to the run's folder."""

    system: str
    setting: str
    kind: Kind
    path: str


@dataclass(frozen=True)
class Example:
    """A recording to listen to; the original is the first of its clips."""

    key: str
    domain: str
    text: str | None
    clips: list[Clip]


@dataclass(frozen=True)
class Summary:
    """All that tables and the report show. `groups` are in the order of the tables: the original,
    models by bitrate, baselines by bitrate; `weights`: hash by system.
    """

    provenance: dict[str, Any]
    settings: dict[str, Any]
    columns: list[Column]
    domains: list[str]
    recordings: int
    flags: dict[str, int]
    weights: dict[str, str]
    groups: list[Group]
    codebooks: dict[str, CodeUse]
    failures: list[Failure]
    examples: list[Example]

    def of_domain(self, domain: str) -> list[Group]:
        """The groups of one domain."""
        return [group for group in self.groups if group.domain == domain]

    def shown_domains(self) -> list[str]:
        """Every domain that is worth a table: "all", and its parts where there are several."""
        return [ALL, *self.domains] if len(self.domains) > 1 else [ALL]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def summarise(
    rows: Sequence[Row],
    recordings: Sequence[Recording],
    examples: Sequence[Recording],
    systems: Sequence[SystemFacts],
    columns: Sequence[Column],
    settings: dict[str, Any],
    provenance: dict[str, Any],
    out: Path,
) -> Summary:
    """Group and average the rows; the codes in `out` give the use of the codebooks."""
    cells: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        cells.setdefault((row["system"], row["setting"]), []).append(row)
    domains = sorted({recording.domain for recording in recordings})
    groups = []
    for domain in [ALL, *domains]:
        part = [
            _group(system, setting, domain, here, columns)
            for system in systems
            for setting in system.settings
            if (here := [r for r in cells.get((system.name, setting), ()) if _is_of(r, domain)])
        ]
        groups += _ordered(part, systems)
    books = {system.name: use_of_codes(out, system.name, recordings) for system in systems}
    return Summary(
        provenance=provenance,
        settings=settings,
        columns=list(columns),
        domains=domains,
        recordings=len(recordings),
        flags=dict(Counter({row["key"]: row["flag"] for row in rows if row["flag"]}.values())),
        weights={row["system"]: row["weights"] for row in rows if row["weights"]},
        groups=groups,
        codebooks={name: use for name, use in books.items() if use is not None},
        failures=_failures(rows),
        examples=[_example(out, recording, groups) for recording in examples],
    )


def _is_of(row: Row, domain: str) -> bool:
    return domain in (ALL, row["domain"])


def _group(
    system: SystemFacts, setting: str, domain: str, rows: list[Row], columns: Sequence[Column]
) -> Group:
    coded = [row for row in rows if not broken(row)]
    seconds = sum(row["seconds"] for row in coded)
    depths = {row["num_quantizers"] for row in coded} - {None}
    bits = [row["bits"] for row in coded if row["bits"] is not None]
    return Group(
        system=system.name,
        setting=setting,
        kind=system.kind,
        domain=domain,
        files=len(rows),
        failed=len(rows) - len(coded),
        seconds=round(seconds, 3),
        kbps=sum(bits) / seconds / 1000 if bits else None,
        num_quantizers=depths.pop() if len(depths) == 1 else None,
        encode_rtf=sum(r["encode_seconds"] for r in coded) / seconds if coded else None,
        decode_rtf=sum(r["decode_seconds"] for r in coded) / seconds if coded else None,
        figures={column.name: _figure(column, rows) for column in columns},
    )


def _figure(column: Column, rows: list[Row]) -> Estimate:
    name, scale = column.name, 100 if column.unit == "%" else 1
    lost = sum(broken(row) or name in row["errors"] for row in rows)
    there = [row for row in rows if row.get(name) is not None]
    errors, of = POOLED.get(name, ("", ""))
    if there and all(row.get(errors) is not None and row.get(of) is not None for row in there):
        return ratio([scale * row[errors] for row in there], [row[of] for row in there], lost)
    return mean([row[name] for row in there], lost)


def _ordered(groups: list[Group], systems: Sequence[SystemFacts]) -> list[Group]:
    kinds: tuple[Kind, ...] = ("original", "model", "baseline")
    names = [system.name for system in systems]

    def rank(group: Group) -> tuple[int, int, float]:
        return kinds.index(group.kind), names.index(group.system), group.kbps or 0.0

    return sorted(groups, key=rank)


def _example(out: Path, recording: Recording, groups: Sequence[Group]) -> Example:
    clips = [
        Clip(group.system, group.setting, group.kind, str(path.relative_to(out)))
        for group in groups
        if group.domain == ALL
        and (path := clip_path(out, recording, group.system, group.setting)).exists()
    ]
    return Example(recording.key, recording.domain, recording.text, clips)


def _failures(rows: Sequence[Row]) -> list[Failure]:
    """One entry per flagged recording and per other row with errors."""
    found: dict[tuple[str, str, str], Failure] = {}
    for row in rows:
        if row["flag"]:
            why = row["errors"].get("recording", "scored, but take its figures with care")
            found.setdefault((row["key"], "", ""), Failure(row["key"], "", "", row["flag"], why))
        if failed(row) and "recording" not in row["errors"]:
            where = (row["key"], row["system"], row["setting"])
            found[where] = Failure(*where, row["flag"], error_text(row))
    return list(found.values())


def error_text(row: Row) -> str:
    """All errors of a row in a line; columns with the same one together."""
    by_text: dict[str, list[str]] = {}
    for name, text in row["errors"].items():
        by_text.setdefault(text, []).append(name)
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in by_text.items())
