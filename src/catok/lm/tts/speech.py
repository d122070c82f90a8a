"""What synthesis gives back."""

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
