"""Metrics by name, presets of them, and `python=module:Class` for a metric of your own."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from catok.evaluation.metrics.base import Metric
from catok.evaluation.metrics.dnsmos import DnsmosMetric
from catok.evaluation.metrics.pesq import PesqMetric
from catok.evaluation.metrics.speaker import SpeakerSimilarity, build_embedder
from catok.evaluation.metrics.spectral import SpectralMetric
from catok.evaluation.metrics.stoi import StoiMetric
from catok.evaluation.metrics.utmos import UtmosMetric
from catok.evaluation.metrics.waveform import WaveformMetric
from catok.evaluation.metrics.wer import WordErrors
from catok.evaluation.results_folder import model_identity
from catok.evaluation.transcribers import build_transcriber
from catok.extras import PYTHON, import_object, parse_python


@dataclass(frozen=True)
class MetricOptions:
    """Models behind the metrics; None takes the default.

    `speaker`: for `build_embedder`; `utmos`: a TorchScript file; `asr`: for `build_transcriber`;
    `language`: of recordings that do not say theirs.
    """

    speaker: str | None = None
    utmos: str | None = None
    asr: str | None = None
    language: str | None = None


@dataclass(frozen=True)
class MetricEntry:
    """One line that says what it is, how it is built, and by which options: models, and others."""

    description: str
    build: Callable[[MetricOptions], Metric]
    models: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def _utmos(options: MetricOptions) -> Metric:
    if options.utmos is None:
        raise ValueError("UTMOS has no packaged weights: name a TorchScript file (option utmos)")
    return UtmosMetric(options.utmos)


def _words(options: MetricOptions) -> Metric:
    transcriber = build_transcriber(options.asr)
    language = options.language or getattr(transcriber, "only_language", None)
    return WordErrors(transcriber, language)


METRICS = {
    "stoi": MetricEntry("intelligibility: STOI and ESTOI", lambda _: StoiMetric()),
    "pesq": MetricEntry(
        "quality of speech: PESQ narrow-band and wide-band", lambda _: PesqMetric()
    ),
    "spectral": MetricEntry(
        "any sound: mel and STFT distance, spectral convergence", lambda _: SpectralMetric()
    ),
    "waveform": MetricEntry("any sound: SI-SDR and SDR", lambda _: WaveformMetric()),
    "speaker": MetricEntry(
        "is it the same voice: cosine of speaker embeddings",
        lambda options: SpeakerSimilarity(build_embedder(options.speaker)),
        models=("speaker",),
    ),
    "dnsmos": MetricEntry("naturalness: DNSMOS P.835 and P.808", lambda _: DnsmosMetric()),
    "utmos": MetricEntry("naturalness: UTMOS, with weights of yours", _utmos, models=("utmos",)),
    "words": MetricEntry(
        "are the words the same: WER and CER by a speech recogniser",
        _words,
        models=("asr",),
        others=("language",),
    ),
}

PRESETS = {
    "fast": ("stoi", "pesq", "spectral", "waveform"),
    "speech": ("stoi", "pesq", "spectral", "waveform", "speaker", "dnsmos", "words"),
    "audio": ("spectral", "waveform"),
}


def metric_names(names: str | Sequence[str], options: MetricOptions | None = None) -> list[str]:
    """Names with presets written out, each once, in the order of `METRICS`; then "python=..." ones.

    "speech" has UTMOS too when `options` names its weights. Raises ValueError on unknown names.
    """
    asked: dict[str, None] = {}
    for name in [names] if isinstance(names, str) else names:
        if name.startswith(PYTHON):
            asked[_canonical(name)] = None
            continue
        if name not in METRICS and name not in PRESETS:
            raise ValueError(
                f"unknown metric {name!r}: choose from {list(METRICS)} or a preset of "
                f"{list(PRESETS)}, or write python=module:Class"
            )
        asked.update(dict.fromkeys(PRESETS.get(name, (name,))))
        if name == "speech" and options is not None and options.utmos is not None:
            asked["utmos"] = None
    known = [name for name in METRICS if name in asked]
    return known + [name for name in asked if name not in METRICS]


def build_metrics(names: str | Sequence[str], options: MetricOptions | None = None) -> list[Metric]:
    """The metrics of `metric_names`, their models loaded.

    Raises ValueError on unknown names, missing packages and models that cannot be loaded.
    """
    options = options or MetricOptions()
    return [_build(name, options) for name in metric_names(names, options)]


def build_available_metrics(
    names: str | Sequence[str], options: MetricOptions | None = None
) -> tuple[list[Metric], dict[str, str]]:
    """As `build_metrics`, but what only a preset asks for and cannot be built is left out.

    Returns the metrics, and by the names of those left out why. Raises ValueError for a metric
    that is asked for by its own name.
    """
    options = options or MetricOptions()
    requested = [names] if isinstance(names, str) else names
    metrics, left_out = list[Metric](), dict[str, str]()
    for name in metric_names(names, options):
        try:
            metrics.append(_build(name, options))
        except ValueError as error:
            if name in requested or name.startswith(PYTHON):
                raise
            left_out[name] = " ".join(str(error).split())
    return metrics, left_out


def metric_settings(
    names: Sequence[str], options: MetricOptions
) -> dict[str, dict[str, str | None]]:
    """What figures depend on, by the metric's name: identities of models and of the source file of
    a metric of your own, and other options.

    Presets are written out; names that are not known here stand for themselves.
    """
    settings = {}
    written = (_canonical(given) if given.startswith(PYTHON) else given for given in names)
    for name in dict.fromkeys(n for given in written for n in PRESETS.get(given, (given,))):
        choice = METRICS.get(name)
        models, others = (choice.models, choice.others) if choice else ((), ())
        known = {option: getattr(options, option) for option in (*models, *others)}
        if name.startswith(PYTHON):
            settings[name] = {"source": _source_identity(name)}
            continue
        settings[name] = {
            option: value and model_identity(value) if option in models else value
            for option, value in known.items()
        }
    if "speech" in names and options.utmos is not None:
        settings["utmos"] = {"utmos": model_identity(options.utmos)}
    return settings


def _canonical(name: str) -> str:
    """A metric of one's own in its one form: python=module:Class. It takes no settings."""
    path, settings = parse_python(name)
    if settings:
        raise ValueError(f"cannot read {name!r}: a metric takes no settings, write {PYTHON}{path}")
    return PYTHON + path


def _build(name: str, options: MetricOptions) -> Metric:
    if not name.startswith(PYTHON):
        return METRICS[name].build(options)
    metric: Any = import_object(name.removeprefix(PYTHON))()
    if not all(hasattr(metric, part) for part in ("columns", "speech_only", "__call__")):
        raise ValueError(
            f"{name} is no metric: its objects need columns, speech_only and a call "
            "(docs/extend/metric.md)"
        )
    return metric


def _source_identity(name: str) -> str | None:
    """The file that defines a metric, by its content."""
    module = import_object(name.removeprefix(PYTHON)).__module__
    source = getattr(sys.modules[module], "__file__", None)
    return source and model_identity(source)
