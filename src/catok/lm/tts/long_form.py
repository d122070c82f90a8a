"""Long text, piece by piece in one voice, with a short pause between the pieces."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from catok.io.numbers import check_number

PAUSE, MAX_PAUSE = 0.25, 600.0  # seconds


class SpeechPiece(Protocol):
    """Iterates over a piece's audio `[C, t]`; then `codes` `[K, F]` and `ended` are final."""

    @property
    def codes(self) -> Tensor: ...
    @property
    def ended(self) -> bool: ...
    def __iter__(self) -> Iterator[Tensor]: ...


@dataclass(frozen=True, eq=False)
class VoicePrompt:
    """What a piece goes on from: `codes` `[K, F]` of the first piece, and what is said in it."""

    codes: Tensor
    text: str


class LongFormStream:
    """Iterator over the audio of a long text, `[C, t]` float32 on the CPU, t varies.

    `synthesize`: number and text of a piece, and the voice to go on with. `texts`: the pieces.
    With `keep_voice`, every piece after the first that is of use (it ended by itself and has at
    least `least_frames`) is spoken as that one's continuation: always the same one, so that the
    voice does not drift. `ended`: every piece so far ended by itself.
    """

    def __init__(
        self,
        texts: list[str],
        synthesize: Callable[[int, str, VoicePrompt | None], SpeechPiece],
        *,
        keep_voice: bool,
        silence: Tensor,
        least_frames: int,
    ) -> None:
        self.texts = tuple(texts)
        self.ended = True
        self._synthesize = synthesize
        self._keep_voice = keep_voice
        self._silence = silence
        self._least_frames = least_frames
        self._audio = self._pieces()

    def __iter__(self) -> Iterator[Tensor]:
        return self

    def __next__(self) -> Tensor:
        return next(self._audio)

    def _pieces(self) -> Iterator[Tensor]:
        voice: VoicePrompt | None = None
        for number, text in enumerate(self.texts):
            if number and self._silence.shape[1]:
                yield self._silence
            stream = self._synthesize(number, text, voice)
            yield from stream
            self.ended = self.ended and stream.ended
            usable = stream.ended and stream.codes.shape[1] >= self._least_frames
            if self._keep_voice and voice is None and usable:
                voice = VoicePrompt(stream.codes, text)


def silence(channels: int, seconds: float, sample_rate: int) -> Tensor:
    """Audio `[C, T]` of nothing. Raises ValueError on a negative or absurd length."""
    check_number("a pause in seconds", seconds, at_least=0, at_most=MAX_PAUSE)
    return torch.zeros(channels, round(seconds * sample_rate), dtype=torch.float32, device="cpu")
