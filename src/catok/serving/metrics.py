"""Figures for Prometheus."""

from typing import TYPE_CHECKING, Any

from catok.extras import imported

if TYPE_CHECKING:
    from catok.serving.gate import Gate
    from catok.serving.scheduler import Scheduler

_FIRST = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
_WHOLE = (0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300)


class Metrics:
    """Counters of one server, in a registry of its own."""

    def __init__(self) -> None:
        client: Any = imported("prometheus_client", "serve")
        self._client = client
        self.registry = registry = client.CollectorRegistry()
        client.ProcessCollector(registry=registry)

        def made(kind: Any, name: str, what: str, *labels: str, **options: Any) -> Any:
            return kind(f"catok_{name}", what, labels, registry=registry, **options)

        counter, histogram = client.Counter, client.Histogram
        self.requests = made(counter, "requests", "Requests answered.", "route", "status")
        self.refused = made(counter, "refused", "Requests turned away.", "reason")
        self.seconds = made(histogram, "request_seconds", "Whole.", "route", buckets=_WHOLE)
        self.first_audio = made(histogram, "first_audio_seconds", "Of speech.", buckets=_FIRST)
        self.audio = made(counter, "audio_seconds", "Audio worked on.", "kind")

    def watch(self, scheduler: "Scheduler", gates: "list[Gate]") -> None:
        """Add what is read off when somebody asks."""

        def made(name: str, what: str, *labels: str) -> Any:
            return self._client.Gauge(f"catok_{name}", what, labels, registry=self.registry)

        active = made("requests_active", "Requests that are worked on.", "kind")
        waiting = made("requests_waiting", "Requests that wait for their turn.", "kind")
        for gate in gates:
            active.labels(gate.name).set_function(lambda gate=gate: gate.inside)
            waiting.labels(gate.name).set_function(lambda gate=gate: gate.waiting)
        rows = made("rows", "Rows of the models that are taken.", "part")
        rows.labels("encode").set_function(lambda: sum(map(len, list(scheduler.encoding))))
        rows.labels("decode").set_function(lambda: sum(map(len, list(scheduler.decoding))))
        generation, recognition = scheduler.generation, scheduler.recognition
        if generation is not None:
            rows.labels("speech").set_function(lambda: len(scheduler.speaking))
        if recognition is not None:
            rows.labels("recognition").set_function(lambda: len(scheduler.recognizing))
        made("scheduler_steps", "Steps so far.").set_function(lambda: scheduler.steps)

    def text(self) -> tuple[bytes, str]:
        """What Prometheus reads, and its content type."""
        return self._client.generate_latest(self.registry), self._client.CONTENT_TYPE_LATEST
