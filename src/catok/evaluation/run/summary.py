"""From rows to a summary: the mean of every figure per system, setting and domain."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from catok.evaluation.markdown import readable
from catok.evaluation.metrics.base import Column
from catok.evaluation.metrics.codebook_usage import CodebookStatistics
from catok.evaluation.results_folder import Row
from catok.evaluation.run.artifacts import clip_path, codebook_usage_of
from catok.evaluation.run.bootstrap import Estimate, bootstrap_mean, bootstrap_ratio
from catok.evaluation.run.provenance import short_path
from catok.evaluation.run.recordings import EvalRecording
from catok.evaluation.run.rows import has_errors, has_no_audio
from catok.evaluation.run.run_manifest import RunManifest, SystemInfo, SystemKind

ALL_DOMAINS = "all"
TOO_LITTLE = ("short", "silent")  # flags of recordings that nothing can be measured on
POOLED = {  # rates over a corpus: errors and what they are counted of
    "wer": ("word_errors", "words"),
    "cer": ("char_errors", "chars"),
    "wer_original": ("word_errors_original", "words_original"),
    "cer_original": ("char_errors_original", "chars_original"),
}


@dataclass(frozen=True)
class ResultGroup:
    """One system at one setting over the recordings of one domain, "all" for all of them.

    `files`: rows; `failed`: rows of them without any figure; `kbps`: all bits over all seconds of
    the recordings coded; `encode_rtf`, `decode_rtf`: wall seconds per second of audio.
    """

    system: str
    setting: str
    kind: SystemKind
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
class FailedRow:
    """Something that went wrong, or a flag: at one setting, or "" for the recording as a whole."""

    key: str
    system: str
    setting: str
    flag: str
    error: str


@dataclass(frozen=True)
class Clip:
    """What one system made of an example; `path` relative to the run's folder. `hypothesis` and
    `wer` in per cent are of the whole recording, where word errors were counted.
    """

    system: str
    setting: str
    kind: SystemKind
    path: str
    hypothesis: str | None = None
    wer: float | None = None


@dataclass(frozen=True)
class ExampleClips:
    """A recording to listen to; the original is the first of its clips."""

    key: str
    domain: str
    text: str | None
    clips: list[Clip]


@dataclass(frozen=True)
class Summary:
    """All that tables and the report show. `groups` are in the order of the tables: the original,
    models by bitrate, baselines by bitrate. Systems are called by their names, of paths only as
    much as tells them apart. `left_out`: metrics that could not be had, and why. By system
    `weights`, a hash of all of them, and `code_spaces`, the hash that `.cat` files and `catok info`
    give of the codebooks. `failed`: recordings that could not be read, or that a system or metric
    failed on; those that are too short or silent are left out by rule, and are none of them.
    """

    provenance: dict[str, Any]
    settings: dict[str, Any]
    columns: list[Column]
    domains: list[str]
    recordings: int
    flags: dict[str, int]
    left_out: dict[str, str]
    weights: dict[str, str]
    code_spaces: dict[str, str]
    groups: list[ResultGroup]
    codebooks: dict[str, CodebookStatistics]
    failures: list[FailedRow]
    examples: list[ExampleClips]
    failed: int

    def of_domain(self, domain: str) -> list[ResultGroup]:
        """The groups of one domain."""
        return [group for group in self.groups if group.domain == domain]

    def shown_domains(self) -> list[str]:
        """Every domain that is worth a table: "all", and its parts where there are several."""
        return [ALL_DOMAINS, *self.domains] if len(self.domains) > 1 else [ALL_DOMAINS]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def build_summary(
    rows: Sequence[Row],
    recordings: Sequence[EvalRecording],
    examples: Sequence[EvalRecording],
    manifest: RunManifest,
    left_out: dict[str, str],
    provenance: dict[str, Any],
    out: Path,
) -> Summary:
    """Group and average the rows; the codes in `out` give the use of the codebooks."""
    # Under the names that folders use: codebooks and clips.
    books = {
        system.name: codebook_usage_of(out, system.name, recordings) for system in manifest.systems
    }
    clips = {r.key: _clips(out, r, manifest.systems, rows) for r in examples}
    # From here on under the short names that tables show.
    named = short_names([system.name for system in manifest.systems])
    rows = [row | {"system": named[row["system"]]} for row in rows]
    systems = [replace(system, name=named[system.name]) for system in manifest.systems]
    columns = [column for column in manifest.columns if column.kind == "figure"]
    cells: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        cells.setdefault((row["system"], row["setting"]), []).append(row)
    domains = sorted({recording.domain for recording in recordings})
    groups = []
    for domain in [ALL_DOMAINS, *domains]:
        part = [
            _group(system, setting, domain, here, columns)
            for system in systems
            for setting in system.settings
            if (here := [r for r in cells.get((system.name, setting), ()) if _is_of(r, domain)])
        ]
        groups += _ordered(part, systems)
    order = {(group.system, group.setting): place for place, group in enumerate(groups)}
    return Summary(
        provenance=provenance,
        settings=manifest.settings | {"data": short_path(manifest.settings["data"])},
        columns=columns,
        domains=domains,
        recordings=len(recordings),
        flags=dict(Counter({row["key"]: row["flag"] for row in rows if row["flag"]}.values())),
        left_out=left_out,
        weights={row["system"]: row["weights"] for row in rows if row["weights"]},
        code_spaces={row["system"]: row["code_space"] for row in rows if row["code_space"]},
        groups=groups,
        codebooks={named[name]: use for name, use in books.items() if use is not None},
        failures=_failures(rows),
        examples=[
            ExampleClips(
                recording.key,
                recording.domain,
                recording.text,
                sorted(
                    (replace(clip, system=named[clip.system]) for clip in clips[recording.key]),
                    key=lambda clip: order[clip.system, clip.setting],
                ),
            )
            for recording in examples
        ],
        failed=len(
            {row["key"] for row in rows if has_errors(row) and row["flag"] not in TOO_LITTLE}
        ),
    )


def _is_of(row: Row, domain: str) -> bool:
    return domain in (ALL_DOMAINS, row["domain"])


def _group(
    system: SystemInfo, setting: str, domain: str, rows: list[Row], columns: Sequence[Column]
) -> ResultGroup:
    coded = [row for row in rows if not has_no_audio(row)]
    seconds = sum(row["seconds"] for row in coded)
    counts = {row["num_quantizers"] for row in coded} - {None}
    bits = [row["bits"] for row in coded if row["bits"] is not None]
    return ResultGroup(
        system=system.name,
        setting=setting,
        kind=system.kind,
        domain=domain,
        files=len(rows),
        failed=len(rows) - len(coded),
        seconds=round(seconds, 3),
        kbps=sum(bits) / seconds / 1000 if bits else None,
        num_quantizers=counts.pop() if len(counts) == 1 else None,
        encode_rtf=sum(r["encode_seconds"] for r in coded) / seconds if coded else None,
        decode_rtf=sum(r["decode_seconds"] for r in coded) / seconds if coded else None,
        figures={column.name: _estimate(column, rows) for column in columns},
    )


def _estimate(column: Column, rows: list[Row]) -> Estimate:
    name, scale = column.name, 100 if column.unit == "%" else 1
    num_failed = sum(has_no_audio(row) or name in row["errors"] for row in rows)
    scored = [row for row in rows if row.get(name) is not None]
    errors, of = POOLED.get(name, ("", ""))
    if scored and all(row.get(errors) is not None and row.get(of) is not None for row in scored):
        return bootstrap_ratio(
            [scale * row[errors] for row in scored], [row[of] for row in scored], num_failed
        )
    return bootstrap_mean([row[name] for row in scored], num_failed)


def _ordered(groups: list[ResultGroup], systems: Sequence[SystemInfo]) -> list[ResultGroup]:
    kinds: tuple[SystemKind, ...] = ("original", "model", "baseline")
    names = [system.name for system in systems]

    def rank(group: ResultGroup) -> tuple[int, int, float]:
        return kinds.index(group.kind), names.index(group.system), group.kbps or 0.0

    return sorted(groups, key=rank)


def _clips(
    out: Path, recording: EvalRecording, systems: Sequence[SystemInfo], rows: Sequence[Row]
) -> list[Clip]:
    own_rows = {(r["system"], r["setting"]): r for r in rows if r["key"] == recording.key}
    clips = []
    for system in systems:
        for setting in system.settings:
            path = clip_path(out, recording, system.name, setting)
            row = own_rows.get((system.name, setting))
            if row is not None and path.exists():
                values = (system.name, setting, system.kind, str(path.relative_to(out)))
                clips.append(Clip(*values, row.get("hypothesis"), row.get("wer")))
    return clips


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Names to show, by name: of absolute paths, only the last parts that distinguish them from
    the others.
    """
    return {name: readable(_short_name(name, names)) for name in names}


def _short_name(name: str, names: Sequence[str]) -> str:
    parts = PurePath(name).parts
    if not Path(name).is_absolute():
        return name
    for count in range(1, len(parts)):
        last = parts[-count:]
        if sum(PurePath(other).parts[-count:] == last for other in names) == 1:
            return str(PurePath(*last))
    return name


def _failures(rows: Sequence[Row]) -> list[FailedRow]:
    """One entry per flagged recording and per other row with errors."""
    failures: dict[tuple[str, str, str], FailedRow] = {}
    for row in rows:
        if row["flag"]:
            why = row["errors"].get("recording") or (
                f"scored, but take its figures with care: {row['notes'].get('recording', '')}"
            )
            failures.setdefault(
                (row["key"], "", ""), FailedRow(row["key"], "", "", row["flag"], why)
            )
        if has_errors(row) and "recording" not in row["errors"]:
            where = (row["key"], row["system"], row["setting"])
            failures[where] = FailedRow(*where, row["flag"], join_reasons(row["errors"]))
    return list(failures.values())


def join_reasons(reasons: Mapping[str, str]) -> str:
    """All reasons of a row in a line; columns with the same one together."""
    by_text: dict[str, list[str]] = {}
    for name, text in reasons.items():
        by_text.setdefault(text, []).append(name)
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in by_text.items())
