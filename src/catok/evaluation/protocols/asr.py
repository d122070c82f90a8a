"""Judging speech recognition: hypotheses against what was said (paper section 8.5)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from catok.evaluation.part import load_part
from catok.evaluation.protocols.items import Transcribed
from catok.evaluation.protocols.matching import matched
from catok.evaluation.protocols.scored import FAILURES, Scored, heard, unheard
from catok.evaluation.text_units import TextUnits
from catok.evaluation.transcribers.base import Transcriber


def score_hypotheses(
    items: Sequence[Transcribed], hypotheses: Mapping[str, str], split: TextUnits
) -> list[Scored]:
    """One row per item, in order, from texts by id or by path (see `matched`, also for errors).

    Items without a hypothesis are "missing". An empty text is a hypothesis too: every word deleted.
    """
    texts = matched(items, hypotheses)
    rows = []
    for item in items:
        row = unheard(item.id, item.text, item.language, split)
        if item.id in texts:
            rows.append(heard(row, texts[item.id], split))
        else:
            rows.append(replace(row, reason="there is no hypothesis"))
    return rows


def score_asr(
    items: Sequence[Transcribed], transcriber: Transcriber, split: TextUnits
) -> Iterator[Scored]:
    """One row per item, in order, each when it is ready; the audio's `seconds` are a figure.

    Items whose audio cannot be read or transcribed are "failed", with the reason.
    """
    for item in items:
        row = unheard(item.id, item.text, item.language, split)
        try:
            audio, rate = load_part(item.audio, item.offset, item.seconds, channels=1)
            row = heard(row, transcriber.transcribe(audio[0], rate, item.language), split)
            yield replace(row, figures={"seconds": audio.shape[1] / rate})
        except FAILURES as error:
            yield replace(row, outcome="failed", reason=str(error))
