"""What synthesis gives back."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Speech:
    """One utterance: `audio` `[C, T]` float32 on the CPU, and the `codes` `[K, F]` it comes from.

    T is F times the tokenizer's frame size; F may be 0. A continued recording is in neither.
    `ended`: the model ended by itself; False when the limit of seconds cut it off. `sample_rate`
    in Hz.
    """

    audio: Tensor
    codes: Tensor
    ended: bool
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Length of the audio."""
        return self.audio.shape[1] / self.sample_rate


class WholeSpeech:
    """A finished utterance, given out like a stream: all of its audio `[C, T]` at once."""

    def __init__(self, speech: Speech) -> None:
        self.codes, self.ended = speech.codes, speech.ended
        self._audio = iter([speech.audio] if speech.audio.shape[1] else [])

    def __iter__(self) -> Iterator[Tensor]:
        return self._audio
