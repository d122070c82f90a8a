"""Audio as metrics and transcribers take it: mono, 16 kHz, NumPy float32 (paper section 8.1)."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from catok.audio import load_audio, mix, resample
from catok.evaluation.sample import Sample

METRIC_RATE = 16_000  # Hz


def make_sample(reference: Tensor, output: Tensor, sample_rate: int) -> Sample:
    """A nameless sample of `[C, T]` or `[T]` audio. Raises ValueError as `Sample` does."""
    first, second = (a[None] if a.dim() == 1 else a for a in (reference, output))
    return Sample("", first, second, sample_rate)


def aligned_mono(sample: Sample, *, silent_output: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Reference and output at `METRIC_RATE`, cut to the shorter one.

    Raises ValueError where one of them is silent; a silent output may be allowed.
    """
    reference, output = sample.mono(METRIC_RATE)
    check_not_silent(reference, "reference")
    if not silent_output:
        check_not_silent(output, "output")
    return reference, output


def full_mono(audio: Tensor, sample_rate: int, name: str) -> np.ndarray:
    """`[C, T]` -> mono at `METRIC_RATE`, uncut. Raises ValueError, with `name`, if it is silent."""
    mono = resample(mix(audio, 1), sample_rate, METRIC_RATE)[0]
    samples = mono.detach().float().cpu().numpy()
    check_not_silent(samples, name)
    return samples


def check_not_silent(samples: np.ndarray, name: str) -> None:
    """Raises ValueError if all samples are 0."""
    if not samples.any():
        raise ValueError(f"the {name} signal is silent: there is nothing to compare")


def as_samples(audio: np.ndarray | Tensor) -> np.ndarray:
    """Samples `[T]`, numpy or tensor, as a float32 array.

    Raises ValueError for another shape, no samples, or samples that are not finite floats.
    """
    samples = audio.detach().cpu().numpy() if isinstance(audio, Tensor) else np.asarray(audio)
    if samples.ndim != 1 or samples.size == 0 or samples.dtype.kind != "f":
        shape = list(samples.shape)
        raise ValueError(f"expected float samples [T], got {samples.dtype} {shape}: mix to mono")
    if not np.isfinite(samples).all():
        raise ValueError("the signal holds NaN or infinite samples")
    return samples.astype(np.float32)


def to_metric_rate(audio: np.ndarray | Tensor, sample_rate: int) -> np.ndarray:
    """Samples `[T]` at `METRIC_RATE`, float32."""
    return resample(torch.from_numpy(as_samples(audio))[None], sample_rate, METRIC_RATE)[0].numpy()


def load_part(
    path: Path, offset: float | None, seconds: float | None, channels: int | None = None
) -> tuple[Tensor, int]:
    """Samples `[C, T]` and their rate in Hz: with an `offset`, so many `seconds` from there.

    Without one the whole file; without `seconds`, until its end. Raises ValueError as `load_audio`
    does, and on a part that lies behind the end of the file.
    """
    audio, rate = load_audio(path, channels=channels)
    if offset is None:
        return audio, rate
    first = round(offset * rate)
    last = audio.shape[1] if seconds is None else first + round(seconds * rate)
    if first >= audio.shape[1]:
        raise ValueError(f"{path} ends before {offset:g} s: correct its offset")
    return audio[:, first:last], rate
