"""Scoring speech recognition: hypotheses against what was said (paper section 8.5).

Hypotheses come from a recogniser that runs here, or from a file; those of a file belong to an
utterance by its id, or by the name of its recording.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from catok.data.jsonl import read_jsonl
from catok.data.kaldi import read_table
from catok.evaluation.preprocessing import load_part
from catok.evaluation.protocols.asr_data import without_suffix
from catok.evaluation.protocols.items import ASRItem
from catok.evaluation.protocols.utterance_score import FAILURES, UtteranceScore
from catok.evaluation.text_units import TextUnits
from catok.evaluation.transcribers.base import Transcriber
from catok.io.files import reason


def read_hypotheses(path: str | Path) -> dict[str, str]:
    """What a recogniser wrote, by id; texts may be empty.

    From JSON lines with `text` and `id` (or `audio`, as in a manifest), or a Kaldi text file of
    lines "id text". Raises ValueError, with file and line, on a malformed line or an id that comes
    twice.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no file of hypotheses at {path}: check the path")
    if path.suffix not in (".jsonl", ".json"):
        return read_table(path)
    texts: dict[str, str] = {}
    for number, line in read_jsonl(path):
        where = f"{path}, line {number}"
        name = "id" if "id" in line else "audio"
        for key in (name, "text"):
            if not isinstance(line.get(key), str) or not (key == "text" or line[key].strip()):
                raise ValueError(f'{where}: needs "{key}", a text, got {line.get(key)!r}')
        key = line["id"].strip() if name == "id" else without_suffix(line["audio"].strip())
        if key in texts:
            raise ValueError(f"{where}: {key} comes twice")
        texts[key] = line["text"].strip()
    return texts


def score_hypotheses(
    items: Sequence[ASRItem], hypotheses: Mapping[str, str], split: TextUnits
) -> list[UtteranceScore]:
    """One row per item, in order, from texts by id or path (errors: `match_hypotheses`).

    Items without a hypothesis are "missing". An empty text is a hypothesis too: every word deleted.
    """
    texts = match_hypotheses(items, hypotheses)
    rows = []
    for item in items:
        row = UtteranceScore.pending(item.id, item.text, item.language, split)
        if item.id in texts:
            rows.append(row.with_hypothesis(texts[item.id], split))
        else:
            rows.append(replace(row, reason="there is no hypothesis"))
    return rows


def score_asr(
    items: Sequence[ASRItem], transcriber: Transcriber, split: TextUnits
) -> Iterator[UtteranceScore]:
    """One row per item, in order, each when it is ready; the audio's `seconds` are a figure.

    Items whose audio cannot be read or transcribed are "failed", with the reason.
    """
    for item in items:
        row = UtteranceScore.pending(item.id, item.text, item.language, split)
        try:
            audio, rate = load_part(item.audio, item.offset, item.seconds, channels=1)
            row = row.with_hypothesis(transcriber.transcribe(audio[0], rate, item.language), split)
            yield replace(row, figures={"seconds": audio.shape[1] / rate})
        except FAILURES as error:
            yield replace(row, outcome="failed", reason=reason(error))


def match_hypotheses(items: Sequence[ASRItem], hypotheses: Mapping[str, str]) -> dict[str, str]:
    """The hypotheses' texts by the ids of the items.

    An id that no item has stands for the recording whose path ends so, less the suffix: "61/a" is
    data/61/a.flac whatever its id. That is how `catok asr` names recordings in folders.

    Raises ValueError where hypotheses are of other utterances, could be of several, or where two
    are of the same.
    """
    known = {item.id for item in items}
    by_name: dict[str, list[ASRItem]] = {}
    for item in items:
        by_name.setdefault(item.audio.stem, []).append(item)
    unknown: list[str] = []
    names: dict[str, str] = {}  # by the item's id, the hypothesis's
    for name in hypotheses:
        matches = [name] if name in known else _items_ending_in(name, by_name)
        if not matches:
            unknown.append(name)
            continue
        if len(matches) > 1:
            raise ValueError(
                f"hypothesis {name} could be of {matches[0]} or {matches[1]}: name it so"
            )
        earlier = names.setdefault(matches[0], name)
        if earlier != name:
            raise ValueError(f"{earlier} and {name} are hypotheses of one utterance: leave one out")
    if unknown:
        raise ValueError(
            f"{len(unknown)} of {len(hypotheses)} hypotheses are of utterances that are not in the "
            f"data, such as {unknown[0]}: the data has ids such as {items[0].id}"
        )
    return {item: hypotheses[name] for item, name in names.items()}


def _items_ending_in(name: str, by_name: Mapping[str, Sequence[ASRItem]]) -> list[str]:
    """Ids of the items whose audio is called so."""
    parts = PurePosixPath(name).parts
    candidates = by_name.get(parts[-1], ()) if parts else ()
    return [item.id for item in candidates if _path_parts(item.audio)[-len(parts) :] == parts]


def _path_parts(audio: Path) -> tuple[str, ...]:
    return Path(os.path.abspath(audio)).with_suffix("").parts
