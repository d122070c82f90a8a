"""run.json: what the rows of a folder are of, so that only what belongs together is added to it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from catok.evaluation.metrics.base import Column
from catok.evaluation.results_folder import (
    RUN,
    ResultsFolder,
    as_json,
    check_settings,
    damaged_record,
)
from catok.io.config import read_config

SystemKind = Literal["original", "model", "baseline"]
METRICS_SETTING = "metrics"  # the setting that may grow


@dataclass(frozen=True)
class SystemInfo:
    """A system as it was named on the command line, and what it calls itself."""

    text: str
    kind: SystemKind
    name: str
    settings: tuple[str, ...]


class RunManifest:
    """The settings, systems and columns of a folder of results.

    `settings["metrics"]`: by metric, what its figures depend on; more metrics may be asked for than
    before. Raises ValueError where the folder was made with other settings, or with metrics that
    are not asked for now.
    """

    def __init__(self, folder: ResultsFolder, settings: dict[str, Any]) -> None:
        self._folder = folder
        self.settings = as_json(settings)
        self.systems: list[SystemInfo] = []
        self.columns: list[Column] = []
        if folder.record:
            self._read()
            self._check(folder.record["settings"])

    def add(self, systems: list[SystemInfo], columns: Sequence[Column]) -> None:
        """Note what this run is made with; systems and columns of earlier runs are kept.

        Raises ValueError where two of `systems` have one name.
        """
        merged = {system.name: system for system in self.systems}
        for system in systems:
            if sum(system.name == other.name for other in systems) > 1:
                raise ValueError(
                    f"two systems are called {system.name}: rename a folder, or give one of them "
                    "all settings"
                )
            known = merged.get(system.name)
            if known is not None:
                settings = tuple(dict.fromkeys((*known.settings, *system.settings)))
                system = SystemInfo(system.text, system.kind, system.name, settings)
            merged[system.name] = system
        self.systems = list(merged.values())
        before = {column.name: column for column in self.columns}
        self.columns = list((before | {column.name: column for column in columns}).values())
        self._folder.write(
            {
                "settings": self.settings,
                "systems": [asdict(system) for system in self.systems],
                "columns": [asdict(column) for column in self.columns],
            }
        )

    def _read(self) -> None:
        record = self._folder.record
        try:
            self.systems = [read_config(SystemInfo, item, "systems") for item in record["systems"]]
            self.columns = [read_config(Column, item, "columns") for item in record["columns"]]
        except (ValueError, LookupError, TypeError) as error:
            raise damaged_record(self._folder.path / RUN, error) from error

    def _check(self, before: dict[str, Any]) -> None:
        known, now = before.get(METRICS_SETTING), self.settings[METRICS_SETTING]
        if not isinstance(known, dict):
            known = {}
        missing = [name for name in known if name not in now]
        if missing:
            raise ValueError(
                f"{self._folder.path} holds results with the metrics {' '.join(known)}, which can "
                f"be added to, not taken from: ask for {' '.join(missing)} too, or choose another "
                "output folder"
            )
        grown = before | {METRICS_SETTING: now | known}
        check_settings(self._folder.path, grown, self.settings)
