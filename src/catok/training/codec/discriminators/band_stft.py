"""Multi-band complex STFT discriminator (paper section 3, discriminators; bands and widths ASSUMED
there, as in DAC).

Real and imaginary parts are two channels, so that phase is judged too. Every band has convolutions
of its own: high frequencies look different from low ones and are quieter.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import weight_norm

from catok.training.codec.discriminators.period import SLOPE, reflect_right

BANDS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)  # edges, as shares of the bins


class BandStftDiscriminator(nn.Module):
    """Judges `[N, 1, T]` by an STFT of `fft_size` (Hann window, hop a quarter, no scaling)."""

    def __init__(self, fft_size: int, channels: int) -> None:
        super().__init__()
        self.fft_size = fft_size
        bins = fft_size // 2 + 1
        self.bands = list(pairwise(int(edge * bins) for edge in BANDS))
        self.stacks = nn.ModuleList(_band_stack(channels) for _ in self.bands)
        self.score = weight_norm(nn.Conv2d(channels, 1, kernel_size=3, padding=1))

    def spectrogram(self, audio: Tensor) -> Tensor:
        """`[N, 1, T]` -> `[N, 2, frames, bins]`; T shorter than a window is reflected up to it."""
        audio = reflect_right(audio[:, 0], self.fft_size - audio.shape[-1])
        spectrum = torch.stft(
            audio,
            n_fft=self.fft_size,
            hop_length=self.fft_size // 4,
            window=torch.hann_window(self.fft_size, dtype=torch.float32, device=audio.device),
            return_complex=True,
        )
        return torch.view_as_real(spectrum).permute(0, 3, 2, 1)

    def forward(self, audio: Tensor) -> list[Tensor]:
        """`[N, 1, T]` -> feature maps `[N, channels, frames, bins of a band]`, band by band, the
        last the score `[N, 1, frames, bins of all bands]`.
        """
        spectrogram = self.spectrogram(audio)
        maps, ends = [], []
        for (low, high), stack in zip(self.bands, self.stacks, strict=True):
            x = spectrogram[..., low:high]
            for conv in stack.children():
                x = leaky_relu(conv(x), SLOPE)
                maps.append(x)
            ends.append(x)
        maps.append(self.score(torch.cat(ends, dim=-1)))
        return maps


def _band_stack(channels: int) -> nn.ModuleList:
    """Five convolutions over (time, frequency); the middle three halve the bins."""
    wide = [
        weight_norm(nn.Conv2d(inside, channels, kernel_size=(3, 9), stride=stride, padding=(1, 4)))
        for inside, stride in ((2, (1, 1)), *[(channels, (1, 2))] * 3)
    ]
    return nn.ModuleList([*wide, weight_norm(nn.Conv2d(channels, channels, 3, padding=1))])
