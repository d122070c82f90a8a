"""DNSMOS (Reddy et al. 2021, 2022), run on the networks in the package speechmos 0.0.1.1.

A window of 9.01 s moves on by 1 s; a shorter recording is repeated until it fills one. P.835
networks take the samples, the P.808 network a mel spectrogram. The raw P.835 figures go through the
polynomials of the DNS Challenge's published script. The package's own function gives the same
figures (tested), but needs librosa and as many threads as there are cores.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from catok.evaluation.extras import import_extra, package_file
from catok.evaluation.metrics.base import Column
from catok.evaluation.preprocessing import METRIC_RATE, full_mono
from catok.evaluation.sample import Sample
from catok.modules.mel import hz_to_mel, mel_to_hz

SECONDS = 9.01  # length of a window
_WINDOW = int(SECONDS * METRIC_RATE)
_FFT, _HOP, _BANDS = 321, 160, 120
_POLYNOMIALS = {  # highest power first
    "ovrl": (-0.06766283, 1.11546468, 0.04602535),
    "sig": (-0.08397278, 1.22083953, 0.0052439),
    "bak": (-0.13166888, 1.60915514, -0.39604546),
}


class DnsmosModel:
    """The two networks, one thread each."""

    def __init__(self) -> None:
        """Raises ValueError when onnxruntime or speechmos is not installed."""
        import_extra("onnxruntime")
        models = "dnsmos_models/"
        self.p835 = _session(package_file("speechmos", models + "sig_bak_ovr.onnx"))
        self.p808 = _session(package_file("speechmos", models + "model_v8.onnx"))
        self.filters = _filters()

    def scores(self, samples: np.ndarray) -> dict[str, float]:
        """`[T]` at 16 kHz -> opinion scores 1 to 5: "ovrl", "sig", "bak", "p808", means over all
        windows. Samples beyond full scale are clipped.
        """
        samples = np.clip(samples, -1, 1).astype(np.float32)
        while len(samples) < _WINDOW:
            samples = np.concatenate((samples, samples))
        rows = [self._window(samples[s : s + _WINDOW]) for s in window_starts(len(samples))]
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def _window(self, samples: np.ndarray) -> dict[str, float]:
        sig, bak, ovrl = self.p835.run(None, {"input_1": samples[None]})[0][0]
        raw = {"ovrl": ovrl, "sig": sig, "bak": bak}
        scores = {name: float(np.polyval(_POLYNOMIALS[name], raw[name])) for name in raw}
        mel = self._log_mel(torch.from_numpy(samples[:-_HOP]))
        scores["p808"] = float(self.p808.run(None, {"input_1": mel.numpy()[None]})[0][0][0])
        return scores

    def _log_mel(self, samples: Tensor) -> Tensor:
        """`[frames, 120]`: decibels below the loudest, at most 80, as (dB + 40) / 40."""
        spectrum = torch.stft(
            samples,
            _FFT,
            _HOP,
            window=torch.hann_window(_FFT),
            pad_mode="constant",
            return_complex=True,
        )
        decibels = 10 * (self.filters @ spectrum.abs().square()).clamp(min=1e-10).log10()
        decibels = (decibels - decibels.max()).clamp(min=-80)
        return ((decibels + 40) / 40).T.contiguous()


def window_starts(samples: int) -> list[int]:
    """First samples of the windows.

    The published script ends a window at int((second + 9.01) * 16000), which floating point makes
    one sample short from second 7 to 23, and leaves short windows out. So do we:
    every published figure has it so.
    """
    count = int(samples // METRIC_RATE - SECONDS) + 1
    starts = ((second, int((second + SECONDS) * METRIC_RATE)) for second in range(count))
    return [s * METRIC_RATE for s, end in starts if end - s * METRIC_RATE == _WINDOW]


def _filters() -> Tensor:
    """Mel triangles `[120, 161]` of unit area on the bins of a transform of odd length."""
    top = hz_to_mel(torch.tensor(METRIC_RATE / 2, dtype=torch.float64))
    edges = mel_to_hz(torch.linspace(0, 1, _BANDS + 2, dtype=torch.float64) * top)[:, None]
    bins = torch.fft.rfftfreq(_FFT, 1 / METRIC_RATE, dtype=torch.float64)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    return (torch.minimum(rising, falling).clamp(min=0) * 2 / (high - low)).float()


def _session(path: Path) -> Any:
    runtime = import_extra("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class DnsmosMetric:
    """DNSMOS P.835 (overall, signal, background) and P.808, by the weights of speechmos."""

    speech_only = True
    columns = (
        Column("dnsmos_ovrl", "DNSMOS", digits=2),
        Column("dnsmos_sig", "DNSMOS signal", digits=2),
        Column("dnsmos_bak", "DNSMOS background", digits=2),
        Column("dnsmos_p808", "DNSMOS P.808", digits=2),
    )

    def __init__(self) -> None:
        self.model = DnsmosModel()

    def __call__(self, sample: Sample) -> dict[str, float]:
        """Raises ValueError when the output is silent."""
        scores = self.model.scores(full_mono(sample.output, sample.sample_rate, "output"))
        return {f"dnsmos_{name}": value for name, value in scores.items()}
