"""The state of a run on disk: all that is needed to go on as if nothing had happened.

One file, last.pt, holds it; of a run whose weights are sharded over processes see `sharded`.
"""

import zipfile
from pathlib import Path
from typing import Any, Literal, Protocol

import torch

from catok.io.files import replacing
from catok.training.engine import sharded
from catok.training.engine.distributed import Group
from catok.training.engine.run_config import RunConfig
from catok.training.engine.saved import changed_settings, going_on, saved_step

LAST = "last.pt"
FORMAT = 2

Kind = Literal["codec", "language model"]


class Stateful(Protocol):
    """What a checkpoint is of: a learner."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...

    def allocate_state(self, names: set[str]) -> None: ...


class RunCheckpoint:
    """Saves and restores a run in `folder`, on the processes of `group`.

    `kind`: what the run trains; `facts`: what must be the same where the run goes on, and why not
    otherwise (`facts["weight_hash"] = (value, "of another tokenizer")`).
    """

    def __init__(
        self,
        folder: Path,
        kind: Kind,
        config: RunConfig,
        group: Group,
        facts: dict[str, tuple[str, str]] | None = None,
    ) -> None:
        self.folder, self.kind, self.group = folder, kind, group
        self.config = config.to_dict()
        self.sharded = config.parallel == "fsdp" and group.world_size > 1
        self._facts = facts or {}
        self.changed: dict[str, list[Any]] = {}  # settings of the restored run: before, now

    def load(self) -> dict[str, Any] | Path | None:
        """The saved state or, of a sharded run, where it is; None where there is none.

        Raises ValueError on a damaged one, on one of another kind or format, and where a run was
        saved the other way.
        """
        whole, parts = load_run(self.folder), sharded.find_sharded(self.folder)
        if (whole is not None and self.sharded) or (parts is not None and not self.sharded):
            raise ValueError(
                f"the run in {self.folder} was {'not ' if self.sharded else ''}sharded: go on with "
                'the same "parallel", under torchrun as then, or begin a new run from its model/'
            )
        if whole is not None:
            self._check(whole)
        elif parts is not None and "kind" not in sharded.names_in_sharded(parts):
            self._check({})
        return parts if self.sharded else whole

    def save(self, learner: Stateful, step: int) -> None:
        """Write the state after `step` steps, in place of the older one."""
        state = learner.state_dict() | self._header() | {"step": step, "config": self.config}
        if self.sharded:
            sharded.save_sharded(self.folder, state, self.group)
        elif self.group.is_main:
            save_run(self.folder, state)
        self.group.barrier()

    def restore(self, learner: Stateful, saved: dict[str, Any] | Path) -> int:
        """Put the saved state into the learner; returns the number of steps done.

        Raises ValueError where it belongs to other networks.
        """
        if isinstance(saved, Path):
            learner.allocate_state(sharded.names_in_sharded(saved))
            state = learner.state_dict() | self._header() | {"step": 0}
            sharded.load_sharded(saved, state, self.group)
            saved = state
            self._check(saved)
        self.changed = changed_settings(saved.get("config"), self.config)
        with going_on(self.folder, self.changed):
            step = saved_step(saved)
            learner.load_state_dict(saved)
        return step

    def _header(self) -> dict[str, Any]:
        facts = {name: value for name, (value, _) in self._facts.items()}
        return {"format": FORMAT, "kind": self.kind, "facts": facts}

    def _check(self, saved: dict[str, Any]) -> None:
        """Raise ValueError where a saved run is none that can go on here."""
        if saved.get("format") != FORMAT:
            raise ValueError(
                f"the run in {self.folder} was saved by another version of catok (format "
                f"{saved.get('format', 'older')}, this one reads {FORMAT}): finish it with that "
                "version, or begin a new run, in another folder, from its model/"
            )
        if saved.get("kind") != self.kind:
            raise ValueError(
                f"the run in {self.folder} trains a {saved.get('kind')}, not a {self.kind}: use "
                "another folder"
            )
        facts = saved.get("facts")
        for name, (value, reason) in self._facts.items():
            before = facts.get(name) if isinstance(facts, dict) else None
            if before != value:
                raise ValueError(
                    f"the run in {self.folder} {reason} ({name} {before}, here {value})"
                )


def save_run(folder: Path, state: dict[str, Any]) -> None:
    """Write `state` to folder/last.pt: first to a temporary file, then renamed over the old one.

    Killed or out of disk space on the way, the old one stays. Raises OSError in the latter case.
    """
    write_tensors(folder / LAST, state)


def write_tensors(path: Path, data: dict[str, Any]) -> None:
    """`torch.save` that never leaves half a file. Raises OSError where there is no room for it."""
    with replacing(path) as temporary:
        try:
            torch.save(data, temporary)
        except RuntimeError as error:  # as torch reports a full disk
            raise OSError(f"cannot write {path}: is the disk full? ({error})") from error


def load_run(folder: Path) -> dict[str, Any] | None:
    """The saved state of a run, on the CPU, or None where there is none yet.

    Raises ValueError where it is damaged: PyTorch writes checksums into the file, and does not
    compare them.
    """
    path = folder / LAST
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
        if damaged is not None:
            raise ValueError(f"the checksum of {damaged} differs")
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict):
            raise ValueError("it holds no state of a run")
    except Exception as error:
        raise ValueError(f"{path} cannot be read ({error}): remove it to start anew") from error
    return state
