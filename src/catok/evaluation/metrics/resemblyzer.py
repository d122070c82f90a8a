"""A small speaker embedder: Resemblyzer's voice encoder (Wan et al. 2018, GE2E).

Long silences are cut out first: WebRTC's detector (mode 3) marks windows of 30 ms, a running
majority of 8 windows smooths the marks, and what is left is widened by 3 windows to both sides.
Then three LSTM layers over 40 mel bands of 25 ms every 10 ms, a linear layer, ReLU and length 1; a
recording is the mean over pieces of 1.6 s.

Only the weights are taken from the package Resemblyzer 0.1.4, which itself needs a SciPy module on
its way out and a WebRTC package without wheels: install it with --no-deps. The figures equal the
package's own (tested where librosa is there) but for loudness: the package raises quiet recordings
to -30 dBFS and leaves loud ones, here all are brought there. The network is sensitive to loudness
(a quarter of the level can cost 0.15 of similarity), and a voice turned down is the same voice.
"""

import numpy as np
import torch
from torch import Tensor, nn

from catok.evaluation.extras import import_extra, package_file
from catok.evaluation.preprocessing import METRIC_RATE
from catok.extras import install
from catok.modules.mel import mel_filters

INSTALL = f"{install('eval,offline')} and pip install --no-deps Resemblyzer"
SHORTEST = 0.5  # seconds of voice; less says little of the speaker
_WINDOW, _HOP, _BANDS, _WIDTH = 400, 160, 40, 256
_PIECE, _STEP = 160, 77  # frames of a piece and from one to the next: 1.3 pieces a second
_COVERED = 0.75  # share of the last piece that must hold sound, or it is left out
_LOUDNESS = 10 ** (-30 / 20)  # root mean square that recordings are brought to


class ResemblyzerEmbedder:
    """Embeds speakers; `name` goes into reports."""

    name = "Resemblyzer 0.1.4"

    def __init__(self) -> None:
        """Raises ValueError when Resemblyzer or webrtcvad is not installed."""
        import_extra("webrtcvad", INSTALL)
        path = package_file("resemblyzer", "pretrained.pt", INSTALL)
        state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
        self.lstm = nn.LSTM(_BANDS, _WIDTH, num_layers=3, batch_first=True)
        self.linear = nn.Linear(_WIDTH, _WIDTH)
        for part, module in (("lstm.", self.lstm), ("linear.", self.linear)):
            weights_of_part = {
                k.removeprefix(part): v for k, v in state.items() if k.startswith(part)
            }
            module.load_state_dict(weights_of_part)
            module.requires_grad_(False)

    def embed(self, samples: np.ndarray) -> np.ndarray:
        """`[T]` at 16 kHz -> `[256]` of length 1.

        Raises ValueError when less than 0.5 s of voice is found.
        """
        voice = remove_silence(normalize_loudness(samples))
        if len(voice) < SHORTEST * METRIC_RATE:
            raise ValueError(
                f"only {len(voice) / METRIC_RATE:.2f} s of voice found, a speaker needs "
                f"{SHORTEST} s: leave such recordings out"
            )
        return self._embed_voice(torch.from_numpy(voice))

    def _embed_voice(self, voice: Tensor) -> np.ndarray:
        starts = piece_starts(len(voice))
        missing = (starts[-1] + _PIECE) * _HOP - len(voice)
        mel = _mel(nn.functional.pad(voice, (0, max(0, missing))))
        _, (hidden, _) = self.lstm(torch.stack([mel[s : s + _PIECE] for s in starts]))
        pieces = nn.functional.normalize(self.linear(hidden[-1]).relu())
        return nn.functional.normalize(pieces.mean(0), dim=0).numpy()


def normalize_loudness(samples: np.ndarray) -> np.ndarray:
    """The same at a root mean square of -30 dBFS; silence stays silence."""
    loudness = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    return samples * np.float32(_LOUDNESS / loudness) if loudness else samples


def piece_starts(samples: int) -> list[int]:
    """First frames of the pieces of a recording; the last may reach past its end."""
    frames = -(-(samples + 1) // _HOP)
    starts = list(range(0, max(1, frames - _PIECE + _STEP + 1), _STEP))
    covered = (samples - starts[-1] * _HOP) / (_PIECE * _HOP)
    return starts[:-1] if covered < _COVERED and len(starts) > 1 else starts


def _mel(samples: Tensor) -> Tensor:
    """`[T]` -> mel powers `[T / 160 + 1, 40]`, ends padded with zeros."""
    window = torch.hann_window(_WINDOW)
    spectrum = torch.stft(
        samples, _WINDOW, _HOP, window=window, pad_mode="constant", return_complex=True
    )
    return spectrum.abs().square().T @ mel_filters(METRIC_RATE, _WINDOW, _BANDS)[0]


WINDOW = METRIC_RATE * 30 // 1000
_MAJORITY, _WIDEN = 8, 3


def remove_silence(samples: np.ndarray) -> np.ndarray:
    """The parts of `[T]` at 16 kHz in which someone speaks, joined: `[T']`, T' <= T."""
    detector = import_extra("webrtcvad").Vad(3)
    windows = samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW)
    pulses = np.round(windows.clip(-1, 1) * 32_767).astype("<i2")
    marks = np.array([detector.is_speech(w.tobytes(), METRIC_RATE) for w in pulses], dtype=int)
    return windows[widen_marks(smooth_marks(marks))].reshape(-1)


def smooth_marks(marks: np.ndarray) -> np.ndarray:
    """True where more than half of the 8 windows from 3 before to 4 after are marked."""
    padded = np.pad(marks, ((_MAJORITY - 1) // 2, _MAJORITY // 2))
    total = np.concatenate(([0], np.cumsum(padded)))
    return total[_MAJORITY:] - total[:-_MAJORITY] > _MAJORITY // 2


def widen_marks(marks: np.ndarray) -> np.ndarray:
    """True within 3 windows of a mark."""
    padded = np.pad(marks.astype(int), _WIDEN)
    total = np.concatenate(([0], np.cumsum(padded)))
    span = 2 * _WIDEN + 1
    return total[span:] - total[:-span] > 0
