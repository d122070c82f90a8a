"""A port that is a program: tasks go to it as files, and its results come back as files.

    IN/request.json    {"format": 1, "model": folder, "tasks": [...]}
    IN/NAME.npy        a task's input
    OUT/NAME.npy       its result
    OUT/response.json  {"skipped": {NAME: why}}, if there is something that the port does not do

`docs/verify.md` describes them; `catok.conformance.exchange` answers them with this package.
"""

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from catok.conformance.judging import NotOffered
from catok.conformance.kit import Variant
from catok.conformance.ports import Loaded
from catok.conformance.tasks import Task
from catok.io.config import read_value
from catok.io.json import read_json

FORMAT = 1
REQUEST, RESPONSE = "request.json", "response.json"


class CommandPort:
    """A command line in which {in} and {out} stand for the two folders; run once per variant."""

    def __init__(self, command: str) -> None:
        self.name = command
        self._words = shlex.split(command)
        text = " ".join(self._words)
        if "{in}" not in text or "{out}" not in text:
            raise ValueError(f"the command {command!r} must hold {{in}} and {{out}}")

    def load(self, variant: Variant, tasks: Sequence[Task]) -> Loaded:
        """Run it on all tasks. Raises ValueError where it fails or cannot be started."""
        with tempfile.TemporaryDirectory(prefix="catok-verify-") as place:
            given, answered = Path(place) / "in", Path(place) / "out"
            given.mkdir()
            answered.mkdir()
            write_request(given, variant.folder, tasks)
            names = {"{in}": os.fspath(given), "{out}": os.fspath(answered)}
            words = [_filled(word, names) for word in self._words]
            try:
                done = subprocess.run(words, capture_output=True, text=True, check=False)
            except OSError as error:
                raise ValueError(f"cannot start {words[0]}: {error.strerror}") from error
            if done.returncode:
                last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
                raise ValueError(
                    f"{words[0]} ended with {done.returncode}: {' '.join(last) or 'no message'}"
                )
            return Answers.read(answered, tasks)


class Answers:
    """What a program wrote, by task."""

    def __init__(self, arrays: Mapping[str, np.ndarray], skipped: Mapping[str, str]) -> None:
        self._arrays, self._skipped = arrays, skipped

    @classmethod
    def read(cls, folder: Path, tasks: Sequence[Task]) -> "Answers":
        """Raises ValueError on files that are damaged."""
        skipped: dict[str, str] = {}
        if (folder / RESPONSE).is_file():
            data = read_json(folder / RESPONSE)
            skipped = read_value(dict[str, str], data.get("skipped", {}), f"skipped in {RESPONSE}")
        arrays = {}
        for task in tasks:
            file = folder / f"{task.name}.npy"
            if file.is_file():
                try:
                    arrays[task.name] = np.load(file, allow_pickle=False)
                except (OSError, ValueError, EOFError) as error:
                    raise ValueError(f"{file.name} cannot be read: {error}") from error
        return cls(arrays, skipped)

    def run(self, task: Task) -> Sequence[np.ndarray]:
        if task.name in self._skipped:
            raise NotOffered(self._skipped[task.name])
        if task.name not in self._arrays:
            raise FileNotFoundError(f"the command wrote no {task.name}.npy")
        array = self._arrays[task.name]
        if array.ndim != 3 or len(array) != len(task.places):
            raise ValueError(f"{task.name}.npy has shape {list(array.shape)}")
        if task.steps is not None:
            return list(array)
        rows = zip(array, task.places, task.lengths, strict=True)
        encodes = task.direction == "encode"
        return [row[:, : len(places) if encodes else length] for row, places, length in rows]


def write_request(folder: Path, model: Path, tasks: Sequence[Task]) -> None:
    """The files that a program gets."""
    for task in tasks:
        np.save(folder / f"{task.name}.npy", task.input)
    data = {
        "format": FORMAT,
        "model": os.fspath(model.resolve()),
        "tasks": [_described(task) for task in tasks],
    }
    (folder / REQUEST).write_text(json.dumps(data, indent=1) + "\n")


def _described(task: Task) -> dict[str, Any]:
    steps = task.steps and [
        {"frames": step.frames, "active": list(step.active), "reset": list(step.reset)}
        for step in task.steps
    ]
    return {
        "name": task.name,
        "direction": task.direction,
        "lengths": list(task.lengths),
        "num_quantizers": task.depth,
        "steps": steps,
    }


def _filled(word: str, names: Mapping[str, str]) -> str:
    for placeholder, path in names.items():
        word = word.replace(placeholder, path)
    return word
