"""What every process of a run works with: systems and metrics, built when first used."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from catok.evaluation.metrics.base import Column, Metric
from catok.evaluation.run.run_manifest import SystemInfo, SystemKind
from catok.evaluation.systems.base import System


@dataclass(frozen=True)
class WorkerSpec:
    """What a process needs in order to build its systems and metrics."""

    systems: tuple[tuple[str, SystemKind], ...]
    build_system: Callable[[str], System]
    build_metrics: Callable[[], tuple[list[Metric], dict[str, str]]]


class Worker:
    """The systems and metrics of one process, built when first used."""

    def __init__(self, spec: WorkerSpec) -> None:
        self._spec = spec

    @cached_property
    def systems(self) -> list[System]:
        """All systems, in the order of the spec."""
        return [self._spec.build_system(text) for text, _ in self._spec.systems]

    @property
    def metrics(self) -> list[Metric]:
        """All metrics that could be built."""
        return self._metrics[0]

    @property
    def left_out(self) -> dict[str, str]:
        """The names of the others, and why."""
        return self._metrics[1]

    @cached_property
    def _metrics(self) -> tuple[list[Metric], dict[str, str]]:
        return self._spec.build_metrics()


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker has: systems with their settings, the metrics' columns, and the metrics that
    were left out, with reasons.
    """

    systems: list[SystemInfo]
    columns: list[Column]
    left_out: dict[str, str]


def describe_worker(worker: Worker, systems: Sequence[tuple[str, SystemKind]]) -> WorkerInfo:
    """See `WorkerInfo`. Raises ValueError where two metrics fill one column."""
    infos = [
        SystemInfo(text, kind, system.name, tuple(system.settings))
        for (text, kind), system in zip(systems, worker.systems, strict=True)
    ]
    columns: list[Column] = [c for metric in worker.metrics for c in metric.columns]
    names = [column.name for column in columns]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise ValueError(f"several metrics fill the columns {duplicates}: ask for one of them")
    return WorkerInfo(infos, columns, worker.left_out)
