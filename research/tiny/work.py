"""How much work a process has done, whatever else the machine did meanwhile.

CPU time alone is unfair on a shared machine: what shares caches and arithmetic units with us makes
the same step cost up to twice as many CPU seconds. So a small piece of the same kind of work is
timed now and then, and CPU seconds are counted by how fast the machine is at that moment.
"""

import time

import torch

REFERENCE = 0.017  # CPU seconds of `_piece` on this machine when little else ran
EVERY = 20.0  # CPU seconds between two pieces


class Work:
    """CPU seconds of this process, as they came (`cpu`) and at the reference speed (`nominal`)."""

    def __init__(self, cpu: float = 0.0, nominal: float = 0.0) -> None:
        self.cpu, self.nominal = cpu, nominal
        self._inputs = torch.randn(1280, 256), torch.randn(256, 1024), torch.randn(400, 1024)
        _piece(*self._inputs)
        self._measure()

    def begin(self) -> None:
        """From here on it counts."""
        self._last = time.process_time()

    def count(self) -> None:
        """Add what was done since `begin` or the last `count`."""
        now = time.process_time()
        self.cpu += now - self._last
        self.nominal += (now - self._last) * self._speed
        if now - self._measured > EVERY:
            self._measure()
        self._last = time.process_time()

    def _measure(self) -> None:
        began = time.process_time()
        _piece(*self._inputs)
        self._measured = time.process_time()
        now = REFERENCE / max(1e-4, self._measured - began)
        before = getattr(self, "_speed", now)
        self._speed = 0.7 * before + 0.3 * now


def _piece(x: torch.Tensor, weight: torch.Tensor, frames: torch.Tensor) -> None:
    """Matrix products in bfloat16, element-wise work, a transform: in about a step's shares."""
    y = x.bfloat16()
    w = weight.bfloat16()
    for _ in range(4):
        z = y @ w
        y = z @ w.t() * 0.01
    for _ in range(4):
        (frames.square() + 1e-6).pow(0.15)
        torch.fft.rfft(frames)
