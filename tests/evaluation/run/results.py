"""What a run has written, and what its summary says."""

from pathlib import Path

from catok.evaluation.results_folder import RowFile
from catok.evaluation.run.rows import row_key


def rows_of(out: Path) -> list[dict]:
    return RowFile(out / "rows.jsonl", row_key).rows


def group(summary, system: str, setting: str, domain: str = "all"):
    places = [(g.system, g.setting, g.domain) for g in summary.groups]
    return summary.groups[places.index((system, setting, domain))]
