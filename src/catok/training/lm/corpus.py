"""The utterances that a run draws from: texts and lengths in memory, codes as needed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from catok.corpus.token_entries import read_codes
from catok.data.entry import Entry
from catok.data.prompt_fields import PromptFields
from catok.io.cat_file import read_header
from catok.lm.messages import PLACEHOLDER
from catok.lm.text import TextTokenizer
from catok.training.lm.train_config import LMDataConfig

GIGABYTE = 10**9
TEXTS_TO_LEARN = 25


@dataclass(frozen=True)
class CodesFormat:
    """Whose codes are read: `num_quantizers` of them per frame, `frame_rate` frames a second.

    `weight_hash`: of the audio tokenizer; codes that say they are of another are refused.
    """

    num_quantizers: int
    frame_rate: float
    weight_hash: str = ""


@dataclass(frozen=True)
class TrainingUtterance:
    """`frames` of codes in the file `codes`, and `text`, which is `text_length` tokens long, with
    the other `fields` of its prompt but for the language.
    """

    codes: Path
    frames: int
    text: str
    text_length: int
    fields: PromptFields = field(default_factory=PromptFields)
    voice: str | None = None


class Corpus:
    """What of some recordings can be trained on; `skipped` counts the others by reason.

    Raises ValueError when nothing is left, and on codes of another tokenizer.
    """

    def __init__(
        self,
        recordings: Sequence[Entry],
        text: TextTokenizer,
        space: CodesFormat,
        config: LMDataConfig,
    ) -> None:
        self.space = space
        self.skipped: Counter[str] = Counter()
        utterances = (self._utterance(r, text, config) for r in recordings)
        self.utterances = [u for u in utterances if u is not None]
        if not self.utterances:
            raise _none_left(self.skipped)
        self.frames = np.array([u.frames for u in self.utterances])
        self.text_lengths = np.array([u.text_length for u in self.utterances])
        self._pools = _by_voice(self.utterances)
        self._kept: dict[int, np.ndarray] = {}
        self._room = config.codes_in_memory * GIGABYTE

    def __len__(self) -> int:
        return len(self.utterances)

    @property
    def hours(self) -> float:
        """Of all utterances together."""
        return float(self.frames.sum()) / self.space.frame_rate / 3600

    @property
    def languages(self) -> tuple[str, ...]:
        """The tags that occur, in alphabetical order."""
        tags = {utterance.fields.language for utterance in self.utterances}
        return tuple(sorted(tag for tag in tags if tag is not None))

    @property
    def characters(self) -> set[str]:
        """Those in `TEXTS_TO_LEARN` texts or more; from fewer nothing is learnt of a letter."""
        counts = Counter(c for utterance in self.utterances for c in set(utterance.text))
        return {character for character, count in counts.items() if count >= TEXTS_TO_LEARN}

    def codes(self, index: int) -> Tensor:
        """Codes `[num_quantizers, F]` int64 of an utterance.

        They stay in memory, 16 bits each, as long as there is room. Raises ValueError where the
        file cannot be read.
        """
        codes = self._kept.get(index)
        if codes is None:
            path = self.utterances[index].codes
            codes = read_codes(path, self.space.num_quantizers).astype(np.int16)
            if codes.shape[1] != self.utterances[index].frames:
                raise ValueError(f"{path} has {codes.shape[1]} frames, its manifest says otherwise")
            if self._room >= codes.nbytes:
                self._room -= codes.nbytes
                self._kept[index] = codes
        return torch.from_numpy(codes.astype(np.int64))

    def draw_references(self, rng: np.random.Generator) -> np.ndarray:
        """For every utterance another one of its voice, int64 `[len(self)]`; -1 if there is none.

        Each of the others is as likely.
        """
        references = np.full(len(self), -1)
        for pool in self._pools:
            offsets = 1 + rng.integers(len(pool) - 1, size=len(pool))
            references[pool] = pool[(np.arange(len(pool)) + offsets) % len(pool)]
        return references

    def _utterance(
        self, recording: Entry, text: TextTokenizer, config: LMDataConfig
    ) -> TrainingUtterance | None:
        """The recording as an utterance, or None, with the reason counted."""
        reason, length = _unfit_text(recording, text, config)
        if recording.codes is None:
            reason = "no codes"
        if reason or recording.codes is None:
            self.skipped[reason] += 1
            return None
        frames, weights = recording.frames, recording.weights
        if frames is None or weights is None:
            try:
                header = read_header(recording.codes)
            except (ValueError, OSError):
                self.skipped["no codes"] += 1
                return None
            frames, weights = header.frames, header.weight_hash
        if weights and self.space.weight_hash and weights != self.space.weight_hash:
            raise ValueError(
                f"{recording.codes} was made by another audio tokenizer (weights {weights}, the "
                f"recipe's has {self.space.weight_hash}): encode the audio again"
            )
        seconds = frames / self.space.frame_rate
        if not config.min_seconds <= seconds <= config.max_seconds:
            self.skipped["too long" if seconds > config.max_seconds else "too short"] += 1
            return None
        said, fields = (recording.text or "").strip(), prompt_fields(recording)
        if fields.language is None:
            fields = replace(fields, language=config.language)
        return TrainingUtterance(recording.codes, frames, said, length, fields, recording.speaker)


def check_texts(recordings: Sequence[Entry], text: TextTokenizer, config: LMDataConfig) -> None:
    """Raise ValueError where no recording has a text to learn from: before any is encoded."""
    reasons = [_unfit_text(recording, text, config)[0] for recording in recordings]
    if all(reasons):
        raise _none_left(Counter(reasons))


def prompt_fields(recording: Entry) -> PromptFields:
    """What a list says of a recording for its prompt. Raises ValueError on other types."""
    try:
        return PromptFields.read({**recording.extra, "language": recording.language})
    except ValueError as error:
        place = f", line {recording.line}" if recording.line else ""
        raise ValueError(f"{recording.name}{place}: {error}") from error


def _none_left(skipped: Counter[str]) -> ValueError:
    left_out = ", ".join(f"{count} {reason}" for reason, count in skipped.items())
    return ValueError(
        f"none of {skipped.total()} recordings can be trained on ({left_out}): texts stand in a "
        "manifest, or in a.txt beside a.wav"
    )


def _unfit_text(recording: Entry, text: TextTokenizer, config: LMDataConfig) -> tuple[str, int]:
    """Why the text of a recording, or another field of its prompt, cannot be used, "" if all can,
    and their length in tokens.
    """
    reason, length = "", 0
    if not (config.empty_text and recording.text is not None and not recording.text.strip()):
        reason, length = _unfit((recording.text or "").strip(), text, config.max_text)
    for value in replace(prompt_fields(recording), language=None).prompt_lines().values():
        if value is not None and not reason:
            reason, extra = _unfit(value, text, config.max_text)
            length += extra
    return reason, length


def _unfit(said: str, text: TextTokenizer, longest: int) -> tuple[str, int]:
    """Why a text cannot be used, "" if it can, and its length in tokens."""
    if not said:
        return "no text", 0
    if any(special in said for special in (PLACEHOLDER, *text.special)):
        return "special token in text", 0
    try:
        length = len(text.encode(said))
    except ValueError:
        return "text cannot be encoded", 0
    return ("text too long" if length > longest else ""), length


def _by_voice(utterances: Sequence[TrainingUtterance]) -> list[np.ndarray]:
    """The utterances of every voice that has two or more."""
    pools: dict[str, list[int]] = {}
    for index, utterance in enumerate(utterances):
        if utterance.voice is not None:
            pools.setdefault(utterance.voice, []).append(index)
    return [np.array(pool) for _, pool in sorted(pools.items()) if len(pool) > 1]
