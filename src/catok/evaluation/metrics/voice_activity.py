"""Long silences cut out, as Resemblyzer does before it listens to a voice.

WebRTC's detector (mode 3) marks windows of 30 ms; a running majority of 8 windows smooths the
marks; what is left is widened by 3 windows to both sides.
"""

import numpy as np

from catok.evaluation.extras import extra
from catok.evaluation.metrics.signals import METRIC_RATE

WINDOW = METRIC_RATE * 30 // 1000
_MAJORITY, _WIDEN = 8, 3


def voiced(samples: np.ndarray) -> np.ndarray:
    """The parts of `[T]` at 16 kHz in which someone speaks, joined: `[T']`, T' <= T."""
    detector = extra("webrtcvad").Vad(3)
    windows = samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW)
    pulses = np.round(windows.clip(-1, 1) * 32_767).astype("<i2")
    marks = np.array([detector.is_speech(w.tobytes(), METRIC_RATE) for w in pulses], dtype=int)
    return windows[widened(smoothed(marks))].reshape(-1)


def smoothed(marks: np.ndarray) -> np.ndarray:
    """True where more than half of the 8 windows from 3 before to 4 after are marked."""
    padded = np.pad(marks, ((_MAJORITY - 1) // 2, _MAJORITY // 2))
    total = np.concatenate(([0], np.cumsum(padded)))
    return total[_MAJORITY:] - total[:-_MAJORITY] > _MAJORITY // 2


def widened(marks: np.ndarray) -> np.ndarray:
    """True within 3 windows of a mark."""
    padded = np.pad(marks.astype(int), _WIDEN)
    total = np.concatenate(([0], np.cumsum(padded)))
    span = 2 * _WIDEN + 1
    return total[span:] - total[:-span] > 0
