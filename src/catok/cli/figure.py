"""Waveform, spectrograms and codes as one figure; matplotlib draws it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from catok.audio import mix
from catok.io.files import replacing
from catok.modules.stft import stft_magnitude

RANGE = 80.0  # dB from the loudest place of the first sound to black
_WINDOW_SECONDS = 0.04
_COLUMNS = 1600  # of a spectrogram, at most
_INK, _ACCENT, _FAINT = "#1b1f27", "#2f6db5", "#d8dce3"


@dataclass(frozen=True)
class Sound:
    """Audio `[C, T]` from the second `start` on, and what it is."""

    title: str
    audio: Tensor
    sample_rate: int
    start: float

    @property
    def span(self) -> tuple[float, float]:
        """Where it begins and ends, in seconds."""
        return self.start, self.start + self.audio.shape[1] / self.sample_rate


@dataclass(frozen=True)
class Codes:
    """Codes `[K, F]` from the second `start` on; `marks`: numbers of codebooks to show lines at."""

    codes: Tensor
    codebook_size: int
    frame_rate: float
    start: float
    marks: tuple[int, ...] = ()


def draw(
    target: Path | BinaryIO, suffix: str, title: str, sounds: Sequence[Sound], codes: Codes
) -> None:
    """Write the waveform of the first sound, the spectrograms of all, and the codes below."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib.figure import Figure

    heights = [1.0, *[1.5] * len(sounds), 1.7]
    figure = Figure(figsize=(10.0, 0.9 + 1.25 * sum(heights)), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.06)  # type: ignore[union-attr]
    panels = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=_INK, parse_math=False)
    _waveform(panels[0], sounds[0])
    loudest = float(_levels(sounds[0]).max())
    images = [
        _spectrogram(panel, sound, loudest)
        for panel, sound in zip(panels[1:-1], sounds, strict=True)
    ]
    bar = figure.colorbar(images[0], ax=list(panels[1:-1]), pad=0.01, aspect=30)
    _quiet(bar.ax)
    bar.set_label("dB", fontsize=8)
    image = _codes(panels[-1], codes)
    bar = figure.colorbar(image, ax=panels[-1], pad=0.01, aspect=15)
    _quiet(bar.ax)
    bar.set_label("code", fontsize=8)
    panels[-1].set_xlabel("seconds", fontsize=9)
    panels[-1].set_xlim(*sounds[0].span)
    if isinstance(target, Path):
        with replacing(target) as temporary:
            figure.savefig(temporary, format=suffix.lstrip("."), dpi=150)
    else:
        figure.savefig(target, format=suffix.lstrip("."), dpi=150)


def _waveform(panel: Any, sound: Sound) -> None:
    mono = mix(sound.audio, 1)[0]
    low, high, times = _envelope(mono, sound)
    panel.fill_between(times.numpy(), low.numpy(), high.numpy(), color=_ACCENT, linewidth=0.4)
    peak = max(0.05, float(mono.abs().max())) * 1.05
    panel.set_ylim(-peak, peak)
    panel.axhline(0, color=_FAINT, linewidth=0.6, zorder=0)
    _label(panel, "waveform", "amplitude")


def _envelope(mono: Tensor, sound: Sound) -> tuple[Tensor, Tensor, Tensor]:
    """Lowest and highest sample of each of so many pieces, and their times."""
    step = max(1, len(mono) // (2 * _COLUMNS))
    pieces = mono[: len(mono) // step * step].view(-1, step)
    times = sound.start + (torch.arange(len(pieces)) + 0.5) * step / sound.sample_rate
    return pieces.amin(1), pieces.amax(1), times


def _spectrogram(panel: Any, sound: Sound, loudest: float) -> Any:
    image = panel.imshow(
        (_levels(sound) - loudest).numpy(),
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=-RANGE,
        vmax=0,
        extent=(*sound.span, 0, sound.sample_rate / 2000),
        interpolation="bilinear",
    )
    _label(panel, sound.title, "kHz")
    return image


def _codes(panel: Any, shown: Codes) -> Any:
    num_quantizers, frames = shown.codes.shape
    image = panel.imshow(
        shown.codes.cpu().numpy(),
        aspect="auto",
        cmap="viridis",
        vmin=0,
        vmax=shown.codebook_size - 1,
        extent=(shown.start, shown.start + frames / shown.frame_rate, num_quantizers + 0.5, 0.5),
        interpolation="nearest",
    )
    for mark in shown.marks:
        if mark < num_quantizers:
            panel.axhline(mark + 0.5, color="white", linewidth=1.2)
    step = max(1, num_quantizers // 8)
    panel.set_yticks(sorted({1, *range(step, num_quantizers + 1, step)}))
    _label(panel, f"codes, {shown.frame_rate:g} frames a second", "codebook")
    return image


def _levels(sound: Sound) -> Tensor:
    """Power in dB, low frequencies first: `[bins, columns]`."""
    window = 2 ** max(6, round(torch.tensor(_WINDOW_SECONDS * sound.sample_rate).log2().item()))
    mono = mix(sound.audio, 1)
    mono = torch.nn.functional.pad(mono, (0, max(0, window - mono.shape[1])))
    power = stft_magnitude(mono, window)[0].square().T
    if power.shape[1] > _COLUMNS:
        power = torch.nn.functional.adaptive_avg_pool1d(power[None], _COLUMNS)[0]
    return 10 * power.clamp(min=1e-12).log10()


def _label(panel: Any, title: str, unit: str) -> None:
    panel.set_title(title, loc="left", fontsize=9, color=_INK, pad=3)
    panel.set_ylabel(unit, fontsize=9)
    _quiet(panel)


def _quiet(panel: Any) -> None:
    panel.tick_params(labelsize=8, length=2.5, color=_FAINT)
    for spine in panel.spines.values():
        spine.set_color(_FAINT)
