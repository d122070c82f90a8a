"""From generated codes to audio: frame by frame as they are chosen, or a batch at once."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from catok.lm.generation import GeneratedFrame
from catok.tokenizer.interface import AudioTokenizer
from catok.tokenizer.tokenizer import LONG_FRAMES


def decode_rows(
    tokenizer: AudioTokenizer, prefixes: Sequence[Tensor], codes: Sequence[Tensor]
) -> list[Tensor]:
    """Audio `[C, F * frame_size]` float32 on the CPU of each row's new codes `[K, F]`.

    `prefixes` `[K, P]`: codes that come before them. They are decoded too, so that the new sound
    follows on from theirs, and their P * frame_size samples are dropped. The decoder being causal,
    padding after a row changes nothing in it.
    """
    size = tokenizer.frame_size
    audio = [torch.zeros(tokenizer.channels, 0, dtype=torch.float32, device="cpu") for _ in codes]
    filled = [row for row, each in enumerate(codes) if each.shape[1]]
    if not filled:
        return audio
    whole = [torch.cat([prefixes[row], codes[row]], dim=1) for row in filled]
    longest = max(each.shape[1] for each in whole)
    batch = torch.stack([pad(each, (0, longest - each.shape[1])) for each in whole])
    sound = tokenizer.decode(batch).cpu()
    for place, row in enumerate(filled):
        start, stop = prefixes[row].shape[1] * size, whole[place].shape[1] * size
        audio[row] = sound[place, :, start:stop].clone()
    return audio


class SpeechStream:
    """Iterator over the audio of one utterance, `[C, frame_size]` float32 on the CPU per frame.

    `frames`: of a single prompt, from `generate_frames`. `prefix` `[K, F]`: codes that the prompt
    ends with; they are decoded first, but their sound is not given out. `ended`: the model
    has ended by itself, so far.
    """

    def __init__(
        self, frames: Iterator[GeneratedFrame], tokenizer: AudioTokenizer, prefix: Tensor
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
