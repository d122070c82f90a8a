"""A port against a kit: all tasks of all variants."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from catok.conformance.diagnosis import Finding, findings
from catok.conformance.judging import Limits, Outcome, judge
from catok.conformance.kit import Variant
from catok.conformance.ports import Port
from catok.conformance.tasks import CHECKS, tasks_of


@dataclass(frozen=True)
class VariantReport:
    """A variant's outcomes in the order of its tasks; `fault` where its model did not load."""

    name: str
    window: float
    outcomes: tuple[Outcome, ...]
    fault: str = ""

    @property
    def passed(self) -> bool:
        return not self.fault and all(outcome.passed for outcome in self.outcomes)

    @property
    def findings(self) -> list[Finding]:
        """What is probably wrong."""
        if self.fault:
            return [Finding("load", self.fault)]
        return findings(self.outcomes)


@dataclass(frozen=True)
class Report:
    """What came of a port."""

    port: str
    limits: Limits
    variants: tuple[VariantReport, ...]

    @property
    def passed(self) -> bool:
        """All variants passed."""
        return all(variant.passed for variant in self.variants)


def verify(
    port: Port,
    variants: Iterable[Variant],
    checks: Sequence[str] | None = None,
    limits: Limits | None = None,
    progress: Callable[[], object] = lambda: None,
) -> Report:
    """Run `checks` (None: all) of each variant; `progress` is called after every task.

    A model that does not load and a task that raises are failures of the report, not of this call.
    Raises ValueError on unknown checks.
    """
    checks = _known_checks(checks)
    limits = limits or Limits()
    return Report(
        port.name,
        limits,
        tuple(_verify_variant(port, variant, checks, limits, progress) for variant in variants),
    )


def count_tasks(variants: Iterable[Variant], checks: Sequence[str] | None = None) -> int:
    """How many tasks `verify` would run. Raises ValueError on unknown checks."""
    checks = _known_checks(checks)
    return sum(1 for variant in variants for _ in tasks_of(variant, checks))


def _known_checks(checks: Sequence[str] | None) -> Sequence[str]:
    unknown = sorted(set(checks or ()) - set(CHECKS))
    if unknown:
        raise ValueError(f"no checks {unknown}: there are {list(CHECKS)}")
    return checks or tuple(CHECKS)


def _verify_variant(
    port: Port,
    variant: Variant,
    checks: Sequence[str],
    limits: Limits,
    progress: Callable[[], object],
) -> VariantReport:
    tasks = list(tasks_of(variant, checks))
    window = variant.windows[0]
    try:
        loaded = port.load(variant, tasks)
    except Exception as error:  # of somebody else's code
        text = " ".join(str(error).split()) or "no message"
        for _ in tasks:
            progress()
        return VariantReport(variant.name, window, (), f"{type(error).__name__}: {text}")
    outcomes = []
    for task in tasks:
        outcomes.append(judge(variant, task, lambda task=task: loaded.run(task), limits))
        progress()
    return VariantReport(variant.name, window, tuple(outcomes))
