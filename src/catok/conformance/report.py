"""A report as lines for a terminal and as plain data for JSON."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from catok.conformance.judging import Outcome
from catok.conformance.runner import Report, VariantReport
from catok.conformance.tasks import CHECKS

COLUMNS = (
    "check",
    "setting",
    "equal codes",
    "in / past window",
    "worst SNR",
    "in / past window",
    "first wrong frame",
    "verdict",
)


@dataclass(frozen=True)
class ReportLine:
    """A setting of a check, in both directions; prefixes of all lengths are one setting."""

    check: str
    setting: str
    encode: tuple[Outcome, ...]
    decode: tuple[Outcome, ...]

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        return self.encode + self.decode

    @property
    def passed(self) -> bool:
        return all(outcome.passed for outcome in self.outcomes)

    @property
    def verdict(self) -> str:
        """In a word, or what went wrong as a whole."""
        if all(outcome.absent for outcome in self.outcomes):
            return f"not offered: {self.outcomes[0].absent}"
        faults = [outcome.fault for outcome in self.outcomes if outcome.fault]
        if faults:
            return f"FAILED: {faults[0]}"
        return "passed" if self.passed else "FAILED"

    def cells(self) -> list[str]:
        """By `COLUMNS`."""
        return [
            self.check,
            self.setting,
            *_shares(self.encode),
            *_snrs(self.decode),
            _first(self.outcomes),
            self.verdict,
        ]


def lines_of(variant: VariantReport) -> list[ReportLine]:
    """The variant's outcomes by check and setting, in the order of the checks."""
    grouped: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in variant.outcomes:
        setting = "of every length" if outcome.check == "prefix" else outcome.setting
        grouped.setdefault((outcome.check, setting), []).append(outcome)
    order = list(CHECKS)
    keys = sorted(grouped, key=lambda key: order.index(key[0]))
    return [_line(check, setting, grouped[check, setting]) for check, setting in keys]


def as_text(report: Report) -> str:
    """Tables with aligned columns, findings below each, and the verdict at the end."""
    parts: list[str] = []
    for variant in report.variants:
        rows = [list(COLUMNS), *(line.cells() for line in lines_of(variant))]
        widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS) - 1)]
        parts.append(f"{variant.name} (smallest window {variant.window:g} frames)")
        if variant.outcomes:
            parts += ["  ".join(_padded(row, widths)).rstrip() for row in rows]
        parts += [f"  {finding.name}: {finding.text}" for finding in variant.findings]
        parts.append("")
    return "\n".join([*parts, verdict(report)])


def verdict(report: Report) -> str:
    """One sentence about all of it."""
    outcomes = [outcome for variant in report.variants for outcome in variant.outcomes]
    failed = sum(not outcome.passed for outcome in outcomes)
    absent = sum(bool(outcome.absent) for outcome in outcomes)
    ties = sum(outcome.ties for outcome in outcomes)
    unloaded = sum(bool(variant.fault) for variant in report.variants)
    notes = [f"{len(outcomes) - absent - failed} of {len(outcomes)} tasks passed"]
    notes += [f"{absent} not offered"] if absent else []
    notes += [f"{ties} frames with a near tie not judged"] if ties else []
    notes += [f"{unloaded} models not loaded"] if unloaded else []
    word = "passed" if report.passed else "FAILED"
    return f"{report.port}: {word} ({', '.join(notes)})"


def as_data(report: Report) -> dict[str, Any]:
    """All of it, for JSON: figures that are not finite are None."""
    return {
        "port": report.port,
        "passed": report.passed,
        "limits": {"equal_codes": report.limits.equal, "snr_db": report.limits.snr},
        "variants": [_variant_data(variant) for variant in report.variants],
    }


def _variant_data(variant: VariantReport) -> dict[str, Any]:
    return {
        "name": variant.name,
        "passed": variant.passed,
        "smallest_window_frames": variant.window,
        "findings": [{"name": each.name, "text": each.text} for each in variant.findings],
        "tasks": [_outcome_data(outcome) for outcome in variant.outcomes],
    }


def _outcome_data(outcome: Outcome) -> dict[str, Any]:
    first = outcome.first_wrong
    data: dict[str, Any] = {
        "direction": outcome.direction,
        "check": outcome.check,
        "setting": outcome.setting,
        "passed": outcome.passed,
        "fault": outcome.fault or None,
        "not_offered": outcome.absent or None,
        "first_wrong_frame": first and {"recording": first.recording, "frame": first.index},
    }
    if outcome.direction == "encode":
        data |= {
            "equal_codes": outcome.share(),
            "equal_codes_within_window": outcome.share(True),
            "equal_codes_past_window": outcome.share(False),
            "near_tie_frames": outcome.ties,
            "largest_margin_lost": outcome.lost,
        }
    else:
        data |= {
            "worst_snr_db": _finite(outcome.snr()),
            "worst_snr_db_within_window": _finite(outcome.snr(True)),
            "worst_snr_db_past_window": _finite(outcome.snr(False)),
        }
    data["frames"] = [
        {"row": f.row, "recording": f.recording, "frame": f.index}
        | ({"equal": f.equal, "judged": f.judged} if f.snr is None else {"snr_db": _finite(f.snr)})
        for f in outcome.frames
    ]
    return data


def _line(check: str, setting: str, outcomes: Sequence[Outcome]) -> ReportLine:
    def of(direction: str) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in outcomes if outcome.direction == direction)

    return ReportLine(check, setting, of("encode"), of("decode"))


def _shares(outcomes: Sequence[Outcome]) -> tuple[str, str]:
    """The worst of them: over all frames, and within and past the window."""
    offered = [outcome for outcome in outcomes if outcome.share() is not None]
    if not offered:
        return "-", ""
    worst = min(offered, key=lambda outcome: outcome.share() or 0.0)
    ties = sum(outcome.ties for outcome in outcomes)
    near = f", {ties} near ties" if ties else ""
    parts = f"{_percent(worst.share(True))} / {_percent(worst.share(False))}"
    return f"{_percent(worst.share())} %{near}", parts


def _snrs(outcomes: Sequence[Outcome]) -> tuple[str, str]:
    offered = [outcome for outcome in outcomes if outcome.snr() is not None]
    if not offered:
        return "-", ""
    worst = min(offered, key=lambda outcome: _number(outcome.snr()))
    parts = f"{_decibels(worst.snr(True))} / {_decibels(worst.snr(False))}"
    return f"{_decibels(worst.snr())} dB", parts


def _first(outcomes: Sequence[Outcome]) -> str:
    wrong = [o.first_wrong for o in outcomes if o.first_wrong is not None]
    if not wrong:
        return "-"
    first = min(wrong, key=lambda frame: frame.index)
    return f"{first.index} of {first.recording}"


def _padded(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for cell, width in zip(row, widths, strict=False):
        yield cell.ljust(width)
    yield row[-1]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{math.floor(share * 10_000) / 100:g}"


def _decibels(snr: float | None) -> str:
    return "-" if snr is None else f"{snr:.0f}"


def _number(value: float | None) -> float:
    return -math.inf if value is None else value


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
