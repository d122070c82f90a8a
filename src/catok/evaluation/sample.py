"""What a metric sees: a recording, what a system made of it, and what is known of it."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from catok.audio.mixing import mix
from catok.audio.resampling import describe, resample


@dataclass(frozen=True)
class Sample:
    """An original and its reconstruction (or, for speech synthesis, a prompt and the speech made).

    `key` names the recording.
    `reference`, `output`: `[C, T]` float32 at `sample_rate` Hz; lengths and channels may differ.
    `text`: what is said in it, if known; `language`: its code, such as "en".

    Raises ValueError on audio of another shape, or empty, or with NaN or infinite samples.
    """

    key: str
    reference: Tensor
    output: Tensor
    sample_rate: int
    text: str | None = None
    language: str | None = None
    _mono: dict[int, tuple[np.ndarray, np.ndarray]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for name, audio in (("reference", self.reference), ("output", self.output)):
            if audio.dim() != 2 or audio.numel() == 0 or not audio.is_floating_point():
                raise ValueError(f"{name}: expected float audio [C, T], got {describe(audio)}")
            if not bool(audio.isfinite().all()):
                raise ValueError(f"the {name} signal holds NaN or infinite samples")

    def mono(self, rate: int) -> tuple[np.ndarray, np.ndarray]:
        """Reference and output in mono at `rate` Hz, float32, cut to the shorter one."""
        if rate not in self._mono:
            both = [self._mono_at(audio, rate) for audio in (self.reference, self.output)]
            shorter = min(map(len, both))
            self._mono[rate] = both[0][:shorter], both[1][:shorter]
        return self._mono[rate]

    @cached_property
    def reference_sha1(self) -> str:
        """What stands for the original's samples and rate: metrics may keep under it what they
        work out of the original alone.
        """
        digest = hashlib.sha1(f"{self.sample_rate} {tuple(self.reference.shape)}".encode())
        samples = self.reference.detach().cpu().contiguous()
        digest.update(samples.view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def _mono_at(self, audio: Tensor, rate: int) -> np.ndarray:
        mono = resample(mix(audio, 1), self.sample_rate, rate)[0]
        return mono.detach().float().cpu().numpy()
