"""Long text, piece by piece in one voice, with a short pause between the pieces."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from catok.io.numbers import check_number
from catok.lm.sampler import SEEDS
from catok.lm.tts.request import SpeechRequest

PAUSE, MAX_PAUSE = 0.25, 600.0  # seconds


class SpeechPiece(Protocol):
    """Iterates over a piece's audio `[C, t]`; then `codes` `[K, F]` and `ended` are final."""

    @property
    def codes(self) -> Tensor: ...
    @property
    def ended(self) -> bool: ...
    def __iter__(self) -> Iterator[Tensor]: ...


class LongFormPlan:
    """What is asked for each piece of a long text.

    `request` has a seed and its references as codes; piece n has seed + n. Without a reference, the
    first piece that is of use (it ended by itself and has at least `least_frames`) is the voice
    that the others continue: always the same one, so that the voice does not drift.
    """

    def __init__(self, request: SpeechRequest, texts: Sequence[str], least_frames: int) -> None:
        self.texts = list(texts)
        self._request, self._least_frames = request, least_frames
        self._voice: SpeechRequest | None = None

    def add(self, text: str) -> int:
        """One piece more, of a text that is still being written; its number."""
        self.texts.append(text)
        return len(self.texts) - 1

    def piece(self, number: int) -> SpeechRequest:
        """The request for a piece, once those before it are made."""
        seed = ((self._request.seed or 0) + number) % SEEDS
        return replace(self._voice or self._request, text=self.texts[number], seed=seed)

    def made(self, number: int, codes: Tensor, ended: bool) -> None:
        """Take note of a piece: its codes `[K, F]`, and whether it ended by itself."""
        usable = ended and codes.shape[1] >= self._least_frames
        if self._request.reference is None and self._voice is None and usable:
            text = self.texts[number]
            self._voice = replace(
                self._request, reference=codes, reference_text=text, mode="continuation"
            )


class LongFormStream:
    """Iterator over the audio of a long text, `[C, t]` float32 on the CPU, t varies.

    `synthesize` makes a piece. `ended`: every piece so far ended by itself.
    """

    def __init__(
        self,
        plan: LongFormPlan,
        synthesize: Callable[[SpeechRequest], SpeechPiece],
        silence: Tensor,
    ) -> None:
        self.texts = plan.texts
        self.ended = True
        self._plan, self._synthesize, self._silence = plan, synthesize, silence
        self._audio = self._pieces()

    def __iter__(self) -> Iterator[Tensor]:
        return self

    def __next__(self) -> Tensor:
        return next(self._audio)

    def _pieces(self) -> Iterator[Tensor]:
        for number in range(len(self.texts)):
            if number and self._silence.shape[1]:
                yield self._silence
            stream = self._synthesize(self._plan.piece(number))
            yield from stream
            self.ended = self.ended and stream.ended
            self._plan.made(number, stream.codes, stream.ended)


def silence(channels: int, seconds: float, sample_rate: int) -> Tensor:
    """Audio `[C, T]` of nothing. Raises ValueError on a negative or absurd length."""
    check_number("a pause in seconds", seconds, at_least=0, at_most=MAX_PAUSE)
    return torch.zeros(channels, round(seconds * sample_rate), dtype=torch.float32, device="cpu")
