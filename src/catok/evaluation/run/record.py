"""run.json: what the rows of a folder are of, so that only what belongs together is added to it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from catok.evaluation.metrics.base import Column
from catok.evaluation.settings import check_settings
from catok.io.config import read_config
from catok.io.files import replacing

Kind = Literal["original", "model", "baseline"]


@dataclass(frozen=True)
class SystemFacts:
    """A system as it was named on the command line, and what it calls itself."""

    text: str
    kind: Kind
    name: str
    settings: tuple[str, ...]


class RunRecord:
    """The settings, systems and columns of a folder of results.

    Raises ValueError where the folder was made with other settings.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.path = folder / "run.json"
        self.settings = json.loads(json.dumps(settings))
        self.systems: list[SystemFacts] = []
        self.columns: list[Column] = []
        if self.path.is_file():
            self._read()

    def add(self, systems: list[SystemFacts], columns: list[Column]) -> None:
        """Note what this run is made with; systems of earlier runs are kept.

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
                system = SystemFacts(system.text, system.kind, system.name, settings)
            merged[system.name] = system
        self.systems, self.columns = list(merged.values()), columns
        content = {
            "settings": self.settings,
            "systems": [asdict(system) for system in self.systems],
            "columns": [asdict(column) for column in columns],
        }
        with replacing(self.path) as temporary:
            Path(temporary).write_text(json.dumps(content, indent=1) + "\n")

    def _read(self) -> None:
        try:
            content = json.loads(self.path.read_text())
            before = content["settings"]
            self.systems = [
                read_config(SystemFacts, item, "systems") for item in content["systems"]
            ]
            self.columns = [read_config(Column, item, "columns") for item in content["columns"]]
        except (ValueError, LookupError, TypeError) as error:
            raise ValueError(
                f"{self.path} is damaged: choose another output folder ({error})"
            ) from error
        check_settings(self.path.parent, before, self.settings)
