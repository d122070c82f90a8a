"""Scoring speech synthesis: are the words right, and is it the prompt's voice?

As in Seed-TTS-Eval (paper section 8.4): a recogniser's transcript against the text (WER, for
Chinese CER), and speaker similarity between prompt and output (SIM).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from catok.audio import load_audio, mix, resample
from catok.evaluation.metrics.base import Metric
from catok.evaluation.protocols.items import TTSItem
from catok.evaluation.protocols.utterance_score import FAILURES, UtteranceScore
from catok.evaluation.sample import Sample
from catok.evaluation.text_units import TextUnits, seed_tts_units
from catok.evaluation.transcribers.base import Transcriber
from catok.io.files import reason

SpeechSource = Callable[[TTSItem], tuple[Tensor, int] | None]
"""Item -> audio `[C, T]` and its rate in Hz; None where there is none. May raise ValueError."""

SUFFIXES = (".wav", ".flac")


def speech_file(folder: str | Path, item: TTSItem) -> Path | None:
    """The item's output in a folder: ID.wav or ID.flac; None where there is none."""
    paths = [Path(folder, item.id + suffix) for suffix in SUFFIXES]
    return next((path for path in paths if path.exists()), None)


def speech_from_folder(folder: str | Path) -> SpeechSource:
    """Speech that has been made before: one file per item, called by its id."""

    def load(item: TTSItem) -> tuple[Tensor, int] | None:
        path = speech_file(folder, item)
        return None if path is None else load_audio(path)

    return load


def score_tts(
    items: Sequence[TTSItem],
    synthesize: SpeechSource,
    transcriber: Transcriber,
    metrics: Sequence[Metric] = (),
    split: TextUnits = seed_tts_units,
) -> Iterator[UtteranceScore]:
    """One row per item, in order, each when it is ready.

    `metrics` judge the output beside the prompt, such as `SpeakerSimilarity`, or by itself, such as
    `DNSMOS`; their figures, and the output's `seconds`, are in the row. A metric that has no score
    for an utterance leaves it out and the row's `reason` says why.

    An item without output is "missing"; one whose output cannot be read, made or transcribed is
    "failed", with the reason. Nothing is left out: see `summarise` for how both are counted.
    """
    for item in items:
        row = UtteranceScore.pending(item.id, item.text, item.language, split)
        try:
            output = synthesize(item)
            if output is None:
                yield replace(row, reason="there is no output")
                continue
            audio, rate = output
            transcript = transcriber.transcribe(mix(audio, 1)[0], rate, item.language)
            figures, reasons = _score_metrics(item, audio, rate, metrics)
        except FAILURES as error:
            yield replace(row, outcome="failed", reason=reason(error))
            continue
        row = row.with_hypothesis(transcript, split)
        reasons = [row.reason, *reasons] if row.reason else reasons
        yield replace(row, figures=figures, reason="; ".join(reasons) or None)


def _score_metrics(
    item: TTSItem, audio: Tensor, rate: int, metrics: Sequence[Metric]
) -> tuple[dict[str, float], list[str]]:
    figures, reasons = {"seconds": audio.shape[1] / rate}, list[str]()
    if not metrics:
        return figures, reasons
    try:
        sample = _sample_with_prompt(item, audio, rate)
    except FAILURES as error:
        return figures, [reason(error)]
    for metric in metrics:
        try:
            values = metric(sample)
        except FAILURES as error:
            reasons.append(reason(error))
            continue
        for name, value in values.items():
            if isinstance(value, str):
                continue
            if math.isfinite(value):
                figures[name] = value
            else:
                reasons.append(f"{name} is not a finite number")
    return figures, reasons


def _sample_with_prompt(item: TTSItem, audio: Tensor, rate: int) -> Sample:
    prompt, prompt_rate = load_audio(item.prompt_audio)
    reference = resample(prompt, prompt_rate, rate)
    return Sample(str(item.prompt_audio), reference, audio, rate, item.text, item.language)
