"""An excerpt of a recording: its sound and its codes, as a picture shows them."""

from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from catok.audio import load_crop
from catok.cli.figure import Sound
from catok.codes import Encoded
from catok.tokenizer.tokenizer import CausalAudioTokenizer


class Excerpt:
    """An excerpt of a recording, its codes those of the whole."""

    def __init__(self, tok: CausalAudioTokenizer, start: float, seconds: float) -> None:
        self.tok, self.start, self.end = tok, start, start + seconds

    def recording(self, source: Path | BinaryIO) -> tuple[Tensor, Encoded]:
        """Audio from the beginning to the end of the excerpt, and its codes."""
        tok = self.tok
        audio = load_crop(source, 0.0, self.end, sample_rate=tok.sample_rate, channels=tok.channels)
        return audio, tok.encode(audio[None].to(tok.device))

    def codes(self, encoded: Encoded) -> Encoded:
        """Codes from the beginning to the end of the excerpt."""
        samples = min(int(encoded.sample_lengths), round(self.end * encoded.sample_rate))
        frames = -(-samples // encoded.frame_size)
        lengths = torch.tensor([samples])
        return replace(encoded, codes=encoded.codes[..., :frames], sample_lengths=lengths)

    def decoded(self, encoded: Encoded, num_quantizers: int) -> Tensor:
        """What the first `num_quantizers` codebooks sound like."""
        return self.tok.decode(encoded, num_quantizers=num_quantizers)[0].cpu()

    def sound(self, title: str, audio: Tensor) -> Sound:
        """The excerpt of audio that begins where the recording does."""
        first = round(self.start * self.tok.sample_rate)
        if first >= audio.shape[1]:
            raise ValueError(f"--start {self.start:g} lies behind the end of the recording")
        return Sound(title, audio[:, first:], self.tok.sample_rate, self.start)
