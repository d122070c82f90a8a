"""Speech that is heard while it is made: each frame is decoded as soon as it is chosen."""

from collections.abc import Iterator

import torch
from torch import Tensor

from catok.lm.generation import Frame
from catok.tokenizer.tokenizer import LONG_FRAMES, CausalAudioTokenizer


class SpeechStream:
    """Iterator over the audio of one utterance, `[C, frame_size]` float32 on the CPU per frame.

    `frames`: of a single prompt, from `generate_frames`. `prefix` `[K, F]`: codes that the prompt
    ends with; the decoder hears them first, but their sound is not given out. `ended`: the model
    has ended by itself, so far.
    """

    def __init__(
        self, frames: Iterator[Frame], tokenizer: CausalAudioTokenizer, prefix: Tensor
    ) -> None:
        self._frames = frames
        self._decoder = tokenizer.stream_decoder()
        self._prefix: Tensor | None = prefix
        self._columns: list[Tensor] = []
        self._empty = prefix.new_empty(len(prefix), 0)
        self.ended = False

    @property
    def codes(self) -> Tensor:
        """The codes `[K, F]` int64 so far, prefix excluded."""
        return torch.cat([self._empty, *self._columns], dim=1)

    def __iter__(self) -> Iterator[Tensor]:
        return self

    def __next__(self) -> Tensor:
        frame = next(self._frames)
        if frame.ended:
            self.ended = True
            raise StopIteration
        if self._prefix is not None:
            for piece in self._prefix.split(LONG_FRAMES, dim=1):
                self._decoder.push(piece)
            self._prefix = None
        codes = frame.codes.T
        self._columns.append(codes.cpu())
        return self._decoder.push(codes)[0].cpu()
