"""All discriminators together: their configuration, preprocessing and files (paper section 3)."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Unpack

import torch
from torch import Tensor, nn

from catok.io.config import check_format, read_config
from catok.io.files import replacing
from catok.io.hub import HubOptions, find_companion
from catok.io.json import read_json
from catok.io.stored_weights import StoredWeights
from catok.io.weights import write_weights
from catok.tokenizer.checkpoint import DISCRIMINATORS
from catok.training.codec.discriminators.band_stft import BandStftDiscriminator
from catok.training.codec.discriminators.period import PeriodDiscriminator

# not config.json and model.safetensors: the folder may be the tokenizer's own
CONFIG, WEIGHTS = "discriminators.json", "discriminators.safetensors"
FORMAT = 1
PEAK = 0.8
QUIETEST = 1e-3  # peaks below it are not raised further: silence would have huge gradients


@dataclass(frozen=True)
class DiscriminatorConfig:
    """One period discriminator per entry of `periods`, with convolutions of `period_channels`, and
    one STFT discriminator per entry of `fft_sizes`, with convolutions of `band_channels`.
    """

    periods: tuple[int, ...]
    fft_sizes: tuple[int, ...]
    period_channels: tuple[int, ...]
    band_channels: int

    def __post_init__(self) -> None:
        if not self.periods and not self.fft_sizes:
            raise ValueError("no discriminators: give periods, fft_sizes or both")
        if self.periods and not self.period_channels:
            raise ValueError("periods need at least one entry in period_channels")
        if min((*self.periods, *self.period_channels, self.band_channels)) < 1:
            raise ValueError("periods, period_channels and band_channels must be at least 1")
        if any(size < 32 or size % 4 for size in self.fft_sizes):
            raise ValueError(f"fft_sizes must be multiples of 4 from 32 up: {self.fft_sizes}")

    @classmethod
    def preset(cls, name: str) -> "DiscriminatorConfig":
        """A named configuration: "full" is the paper's, with 42.5 M parameters; "small" has 3.1 M,
        for tokenizers of about 10 M. Raises ValueError on other names.
        """
        if name not in PRESETS:
            raise ValueError(f"no preset called {name!r}; known are {sorted(PRESETS)}")
        return PRESETS[name]


PRESETS = {
    "full": DiscriminatorConfig(
        periods=(2, 3, 5, 7, 11),
        fft_sizes=(2048, 1024, 512),
        period_channels=(32, 128, 512, 1024, 1024),
        band_channels=32,
    ),
    "small": DiscriminatorConfig(
        periods=(2, 3, 5, 7, 11),
        fft_sizes=(2048, 1024, 512),
        period_channels=(16, 64, 128, 256, 256),
        band_channels=16,
    ),
}


@dataclass(frozen=True)
class _Stored:
    """What the configuration's file holds."""

    format: int
    discriminators: DiscriminatorConfig


def preprocess(audio: Tensor) -> Tensor:
    """`[B, C, T]` -> `[B * C, 1, T]` float32, rows without DC, peak at 0.8 (less in silence)."""
    rows = audio.float().flatten(0, 1)[:, None]
    rows = rows - rows.mean(dim=-1, keepdim=True)
    return rows * (PEAK / rows.abs().amax(dim=-1, keepdim=True).clamp(min=QUIETEST))


class Discriminators(nn.Module):
    """Every discriminator of a configuration. Channels are judged alone, as if rows of a batch."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.periods = nn.ModuleList(
            PeriodDiscriminator(period, config.period_channels) for period in config.periods
        )
        self.bands = nn.ModuleList(
            BandStftDiscriminator(size, config.band_channels) for size in config.fft_sizes
        )

    def forward(self, audio: Tensor) -> list[list[Tensor]]:
        """`[B, C, T]`, T from 1 up -> per discriminator its feature maps, the last the score.

        Raises ValueError on any other shape.
        """
        if audio.dim() != 3 or audio.shape[-1] < 1:
            raise ValueError(f"audio must be [B, C, T] with samples, got {list(audio.shape)}")
        rows = preprocess(audio)
        return [judge(rows) for judge in (*self.periods, *self.bands)]

    def save_pretrained(
        self, folder: str | Path, *, dtype: str | torch.dtype | None = None
    ) -> None:
        """Write discriminators.json and discriminators.safetensors; they may join a tokenizer's.

        `dtype` narrows the stored floats.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_weights(folder / WEIGHTS, self.state_dict(), dtype)
        with replacing(folder / CONFIG) as temporary:
            stored = _Stored(FORMAT, self.config)
            Path(temporary).write_text(json.dumps(asdict(stored), indent=2) + "\n")

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | Path, **hub: Unpack[HubOptions]
    ) -> "Discriminators":
        """Read what `save_pretrained` wrote, as float32.

        `name_or_path`: its folder, or a tokenizer (embedded name, folder or hub id) that was
        published with discriminators. Raises ValueError on anything missing or damaged.
        """
        folder = find_companion(name_or_path, CONFIG, DISCRIMINATORS, **hub)
        config = read_discriminator_config(folder)
        weights = StoredWeights.open([folder / WEIGHTS], folder / WEIGHTS)
        model = weights.build(lambda: cls(config))
        model.load_state_dict(weights.read(model.state_dict()), assign=True)
        return model


def read_discriminator_config(folder: Path) -> DiscriminatorConfig:
    """The configuration in a folder of discriminators. Raises ValueError on a damaged one."""
    data = read_json(folder / CONFIG)
    check_format(data, FORMAT, folder / CONFIG)
    return read_config(_Stored, data, CONFIG).discriminators
