"""How well a tokenizer does: metrics, codecs under test, protocols, reports."""

from typing import TYPE_CHECKING

from catok.lazy import lazy_names

if TYPE_CHECKING:
    from catok.evaluation.metrics.base import Column, Metric
    from catok.evaluation.metrics.pesq import pesq
    from catok.evaluation.metrics.registry import MetricOptions, build_metrics
    from catok.evaluation.metrics.speaker import SpeakerSimilarity, build_embedder
    from catok.evaluation.metrics.stoi import stoi
    from catok.evaluation.protocols.asr import score_asr, score_hypotheses
    from catok.evaluation.protocols.items import ASRItem, TTSItem
    from catok.evaluation.protocols.results import summarize
    from catok.evaluation.protocols.seed_tts_eval import read_seed_tts_list
    from catok.evaluation.protocols.tts import score_tts
    from catok.evaluation.report.page import write_report
    from catok.evaluation.run.evaluate import Evaluation, evaluate
    from catok.evaluation.run.recordings import Selection
    from catok.evaluation.sample import Sample
    from catok.evaluation.systems.base import Output, System, convert, restore, timed
    from catok.evaluation.systems.registry import build_system
    from catok.evaluation.text_units import standard_units
    from catok.evaluation.transcribers.base import Transcriber
    from catok.evaluation.transcribers.registry import build_transcriber

__all__ = [
    "ASRItem",
    "Column",
    "Evaluation",
    "Metric",
    "MetricOptions",
    "Output",
    "Sample",
    "Selection",
    "SpeakerSimilarity",
    "System",
    "TTSItem",
    "Transcriber",
    "build_embedder",
    "build_metrics",
    "build_system",
    "build_transcriber",
    "convert",
    "evaluate",
    "pesq",
    "read_seed_tts_list",
    "restore",
    "score_asr",
    "score_hypotheses",
    "score_tts",
    "standard_units",
    "stoi",
    "summarize",
    "timed",
    "write_report",
]

__getattr__, __dir__ = lazy_names(
    "catok.evaluation",
    {
        "Column": "catok.evaluation.metrics.base",
        "Evaluation": "catok.evaluation.run.evaluate",
        "Metric": "catok.evaluation.metrics.base",
        "MetricOptions": "catok.evaluation.metrics.registry",
        "Output": "catok.evaluation.systems.base",
        "TTSItem": "catok.evaluation.protocols.items",
        "Sample": "catok.evaluation.sample",
        "Selection": "catok.evaluation.run.recordings",
        "SpeakerSimilarity": "catok.evaluation.metrics.speaker",
        "System": "catok.evaluation.systems.base",
        "ASRItem": "catok.evaluation.protocols.items",
        "Transcriber": "catok.evaluation.transcribers.base",
        "build_embedder": "catok.evaluation.metrics.speaker",
        "build_metrics": "catok.evaluation.metrics.registry",
        "build_system": "catok.evaluation.systems.registry",
        "build_transcriber": "catok.evaluation.transcribers.registry",
        "convert": "catok.evaluation.systems.base",
        "evaluate": "catok.evaluation.run.evaluate",
        "pesq": "catok.evaluation.metrics.pesq",
        "read_seed_tts_list": "catok.evaluation.protocols.seed_tts_eval",
        "restore": "catok.evaluation.systems.base",
        "score_asr": "catok.evaluation.protocols.asr",
        "score_hypotheses": "catok.evaluation.protocols.asr",
        "score_tts": "catok.evaluation.protocols.tts",
        "standard_units": "catok.evaluation.text_units",
        "stoi": "catok.evaluation.metrics.stoi",
        "summarize": "catok.evaluation.protocols.results",
        "timed": "catok.evaluation.systems.base",
        "write_report": "catok.evaluation.report.page",
    },
)
