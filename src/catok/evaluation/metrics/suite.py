"""Metrics by name, and presets of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from catok.evaluation.metrics.base import Metric
from catok.evaluation.metrics.intelligibility import Intelligibility
from catok.evaluation.metrics.naturalness import DnsmosMetric, UtmosMetric
from catok.evaluation.metrics.quality import Quality
from catok.evaluation.metrics.speaker import SpeakerSimilarity, build_embedder
from catok.evaluation.metrics.spectral import Spectral
from catok.evaluation.metrics.waveform import Waveform
from catok.evaluation.metrics.words import WordErrors
from catok.evaluation.transcribers import build_transcriber


@dataclass(frozen=True)
class MetricOptions:
    """Models behind the metrics; None takes what is packaged.

    `speaker`: folder or hub id of a `WavLMForXVector`; `utmos`: a TorchScript file; `asr`: a name,
    folder or hub id for `build_transcriber`; `language`: of recordings that do not say theirs.
    """

    speaker: str | None = None
    utmos: str | None = None
    asr: str | None = None
    language: str | None = None


@dataclass(frozen=True)
class Choice:
    """One line that says what it is, and how it is built."""

    description: str
    build: Callable[[MetricOptions], Metric]


def _utmos(options: MetricOptions) -> Metric:
    if options.utmos is None:
        raise ValueError("UTMOS has no packaged weights: name a TorchScript file (option utmos)")
    return UtmosMetric(options.utmos)


def _words(options: MetricOptions) -> Metric:
    transcriber = build_transcriber(options.asr)
    language = options.language or getattr(transcriber, "only_language", None)
    return WordErrors(transcriber, language)


METRICS = {
    "stoi": Choice("intelligibility: STOI and ESTOI", lambda _: Intelligibility()),
    "pesq": Choice("quality of speech: PESQ narrow-band and wide-band", lambda _: Quality()),
    "spectral": Choice(
        "any sound: mel and STFT distance, spectral convergence", lambda _: Spectral()
    ),
    "waveform": Choice("any sound: SI-SDR and SDR", lambda _: Waveform()),
    "speaker": Choice(
        "is it the same voice: cosine of speaker embeddings",
        lambda options: SpeakerSimilarity(build_embedder(options.speaker)),
    ),
    "dnsmos": Choice("naturalness: DNSMOS P.835 and P.808", lambda _: DnsmosMetric()),
    "utmos": Choice("naturalness: UTMOS, with weights of yours", _utmos),
    "words": Choice(
        "are the words the same: WER and CER by a speech recogniser",
        _words,
    ),
}

PRESETS = {
    "fast": ("stoi", "pesq", "spectral", "waveform"),
    "speech": ("stoi", "pesq", "spectral", "waveform", "speaker", "dnsmos", "words"),
    "audio": ("spectral", "waveform"),
}


def metric_names(names: str | Sequence[str], options: MetricOptions | None = None) -> list[str]:
    """Names with presets written out, each once, in the order of `METRICS`.

    "speech" has UTMOS too when `options` names its weights. Raises ValueError on unknown names.
    """
    asked: set[str] = set()
    for name in [names] if isinstance(names, str) else names:
        if name not in METRICS and name not in PRESETS:
            raise ValueError(
                f"unknown metric {name!r}: choose from {list(METRICS)} or a preset of "
                f"{list(PRESETS)}"
            )
        asked.update(PRESETS.get(name, (name,)))
        if name == "speech" and options is not None and options.utmos is not None:
            asked.add("utmos")
    return [name for name in METRICS if name in asked]


def build_metrics(names: str | Sequence[str], options: MetricOptions | None = None) -> list[Metric]:
    """The metrics of `metric_names`, their models loaded.

    Raises ValueError on unknown names, missing packages and models that cannot be loaded.
    """
    options = options or MetricOptions()
    return [METRICS[name].build(options) for name in metric_names(names, options)]
