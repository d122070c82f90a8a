"""When a run is saved: every so many minutes, at its end and at a signal, never once diverged."""

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import torch

from catok.training.engine.distributed import Group
from catok.training.engine.guards import NonFiniteGuard


class SaveSchedule:
    """Calls `save` when it is time to; all processes of `group` do so together.

    What is on disk stays while steps are being skipped, and where a trial finds that the next step
    would not be finite: the step that makes a run diverge is still finite itself.
    """

    def __init__(
        self,
        save: Callable[[], None],
        guard: NonFiniteGuard,
        minutes: float,
        group: Group,
        device: torch.device,
    ) -> None:
        self._save, self._guard, self._seconds = save, guard, 60 * minutes
        self._group, self._device = group, device
        self._saved = time.monotonic()

    def is_sound(self, trial: Callable[[], bool]) -> bool:
        """Whether the state may take the place of an older one; `trial`: is a step finite?"""
        return self._guard.in_a_row == 0 and trial()

    def after_step(
        self, step: int, is_last: bool, stop_requested: bool, trial: Callable[[], bool]
    ) -> bool:
        """Save if it is time to; returns whether the run ends here.

        It does after the last step, and where any process was requested to stop. Raises ValueError
        where it ends in a state that is not to be saved.
        """
        is_late = time.monotonic() - self._saved > self._seconds
        stopping, saving = self._group.sync_stop_and_save(stop_requested, is_late, self._device)
        ending = is_last or stopping
        if not ending and not saving:
            return False
        if self.is_sound(trial):
            self._save()
            self._saved = time.monotonic()
        elif ending:
            raise ValueError(
                f"after step {step} losses or gradients are not finite: this state is not saved, "
                "the last checkpoint is from before. Lower optimizer.learning_rate or look for "
                "broken recordings, and go on"
            )
        return ending


def is_due(step: int, every: int, last: int) -> bool:
    """Whether something is done after `step` steps: after the first, the last, and so many."""
    return step in (1, last) or step % every == 0


NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGXCPU")  # those that this system has


class GracefulStop:
    """While it is entered, `requested` turns True on a request to end (main thread only).

    That is Ctrl-C, SIGTERM, a closed terminal (SIGHUP), and what queues of clusters send before
    they end a job (SIGUSR1, SIGXCPU). What was ignored, as SIGHUP is under nohup, stays ignored.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "GracefulStop":
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name) for name in NAMES if hasattr(signal, name)):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._request_save)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _request_save(self, *_: object) -> None:
        self.requested = True
