"""Audio as the client asked for it: rate, channels and speed, while it is made."""

from typing import Any

import numpy as np
import soxr
import torch
from torch import Tensor

from catok.audio import mix
from catok.extras import imported

SLOWEST, FASTEST = 0.25, 4.0


class AudioShaper:
    """From a model's audio `[C, n]` to that of an answer, block by block.

    `speed` changes the duration and not the pitch (FFmpeg's atempo). What nothing is asked of goes
    through untouched.
    """

    def __init__(
        self,
        sample_rate: int,
        channels: int,
        to_rate: int | None = None,
        to_channels: int | None = None,
        speed: float = 1.0,
    ) -> None:
        self.sample_rate, self.channels = to_rate or sample_rate, to_channels or channels
        self._tempo = None if speed == 1 else _Tempo(sample_rate, self.channels, speed)
        self._resampler: Any = None
        if self.sample_rate != sample_rate:
            self._resampler = soxr.ResampleStream(
                sample_rate, self.sample_rate, self.channels, dtype="float32", quality="VHQ"
            )

    def push(self, audio: Tensor) -> Tensor:
        """The next audio; what comes out may be behind."""
        audio = mix(audio, self.channels) if audio.shape[1] else audio[: self.channels]
        if self._tempo is not None:
            audio = self._tempo.push(audio)
        return self._resampled(audio, last=False)

    def finish(self) -> Tensor:
        """The rest."""
        rest = torch.zeros(self.channels, 0, dtype=torch.float32, device="cpu")
        if self._tempo is not None:
            rest = self._tempo.finish()
        return self._resampled(rest, last=True)

    def _resampled(self, audio: Tensor, last: bool) -> Tensor:
        if self._resampler is None:
            return audio
        samples = np.ascontiguousarray(audio.T.numpy())
        return torch.from_numpy(self._resampler.resample_chunk(samples, last=last).T.copy())


class _Tempo:
    """FFmpeg's filter atempo, by PyAV."""

    def __init__(self, sample_rate: int, channels: int, speed: float) -> None:
        av: Any = imported("av", "serve")
        self._av, self._rate, self._channels, self._position = av, sample_rate, channels, 0
        self._layout = {1: "mono", 2: "stereo"}.get(channels)
        if self._layout is None:
            raise ValueError(f"speed is for 1 or 2 channels, not {channels}")
        self._graph = graph = av.filter.Graph()
        source = graph.add_abuffer(
            sample_rate=sample_rate, format="fltp", layout=self._layout, time_base=None
        )
        factors = [speed] if speed >= 0.5 else [0.5, speed / 0.5]  # the filter begins at 0.5
        last = source
        for factor in factors:
            tempo = graph.add("atempo", f"{factor:.6f}")
            last.link_to(tempo)
            last = tempo
        sink = graph.add("abuffersink")
        last.link_to(sink)
        graph.configure()

    def push(self, audio: Tensor) -> Tensor:
        if audio.shape[1]:
            samples = np.ascontiguousarray(audio.numpy())
            frame = self._av.AudioFrame.from_ndarray(samples, format="fltp", layout=self._layout)
            frame.sample_rate, frame.pts = self._rate, self._position
            self._position += audio.shape[1]
            self._graph.push(frame)
        return self._pulled()

    def finish(self) -> Tensor:
        self._graph.push(None)
        return self._pulled()

    def _pulled(self) -> Tensor:
        blocks = [np.zeros((self._channels, 0), dtype=np.float32)]
        while True:
            try:
                blocks.append(self._graph.pull().to_ndarray().reshape(self._channels, -1))
            except (self._av.error.BlockingIOError, self._av.error.EOFError):
                return torch.from_numpy(np.concatenate(blocks, axis=1).astype(np.float32))
