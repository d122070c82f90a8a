"""What a port is asked to do: whole recordings, batches, prefixes of codebooks, and streams.

A task holds its input and, for every row and frame of the output, which frame of which recording
must stand there. So all tasks are judged alike, whatever the order in which a stream was fed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from catok.conformance.kit import KitRecording, Variant

Direction = Literal["encode", "decode"]
CHECKS = {
    "whole": "a long recording at once",
    "partial": "a last frame that is not full",
    "batch": "recordings of unequal lengths, padded with zeros",
    "prefix": "the first codebooks only, every number of them",
    "chunks": "a stream in chunks, far past the window",
    "pauses": "a batch of streams of which some wait",
    "reset": "a batch of streams of which some begin anew",
}
"""The checks and what they look at."""

_PATTERNS = {"1": (1,), "2": (2,), "5": (5,), "1 to 13": (1, 2, 3, 5, 8, 13), "17": (17,)}
Place = tuple[str, int] | None  # a recording and a frame of it


@dataclass(frozen=True)
class Step:
    """The next `frames` frames of every row; rows not `active` wait, those of `reset` begin anew
    before it.
    """

    frames: int
    active: tuple[bool, ...]
    reset: tuple[int, ...] = ()


@dataclass(frozen=True)
class Task:
    """One call, or one stream of calls.

    `input`: audio `[B, C, T]` float32 or codes `[B, K, F]` int64. `lengths`: samples of each row.
    `depth`: codebooks to use. `steps`: None for one call. `places` `[B][F]`: the frames that must
    come out, None where nothing is judged.
    """

    check: str
    setting: str
    direction: Direction
    input: np.ndarray
    lengths: tuple[int, ...]
    depth: int
    places: tuple[tuple[Place, ...], ...]
    steps: tuple[Step, ...] | None = None

    @property
    def name(self) -> str:
        """A file name: direction, check and setting."""
        setting = self.setting.replace(" ", "-")
        return f"{self.direction}-{self.check}-{setting}".rstrip("-")


def tasks_of(variant: Variant, checks: Sequence[str] = tuple(CHECKS)) -> Iterator[Task]:
    """All tasks of some checks, encoding first."""
    long, partial = variant.recordings["long"], variant.recordings["partial"]
    short = variant.recordings["short"]
    for direction in ("encode", "decode"):
        if "whole" in checks:
            yield _at_once(variant, direction, "whole", "", [long])
        if "partial" in checks:
            yield _at_once(variant, direction, "partial", "some frames and a half", [partial])
            yield _at_once(variant, direction, "partial", "less than a frame", [short])
        if "batch" in checks:
            yield _at_once(variant, direction, "batch", "of 3", [partial, long, short])
        if "prefix" in checks:
            for depth in range(1, len(partial.codes) + 1):
                yield _at_once(variant, direction, "prefix", str(depth), [partial], depth)
        if "chunks" in checks:
            for setting, pattern in _PATTERNS.items():
                lines = [_whole(long)]
                yield _stream(variant, direction, "chunks", f"of {setting}", lines, pattern, ())
        if "pauses" in checks:
            lines = [_whole(long), _whole(partial), _whole(long)]
            yield _stream(variant, direction, "pauses", "of 3", lines, (1, 2, 4), (1, 2))
        if "reset" in checks:
            far = long.frames // 2
            lines = [
                _whole(long),
                [*_whole(long)[:far], None, *_whole(partial)],
                [*_whole(partial), None, *_whole(long)[:far]],
            ]
            yield _stream(variant, direction, "reset", "of 3", lines, (1, 3), ())


def _at_once(
    variant: Variant,
    direction: Direction,
    check: str,
    setting: str,
    recordings: Sequence[KitRecording],
    depth: int | None = None,
) -> Task:
    depth = depth or len(recordings[0].codes)
    longest = max(r.frames for r in recordings)
    samples = max(r.samples for r in recordings)
    shape = (len(recordings), variant.config.channels, samples)
    audio = np.zeros(shape, np.float32)
    codes = np.zeros((len(recordings), depth, longest), np.int64)
    for row, recording in enumerate(recordings):
        audio[row, :, : recording.samples] = recording.audio
        codes[row, :, : recording.frames] = recording.codes[:depth]
    return Task(
        check,
        setting,
        direction,
        audio if direction == "encode" else codes,
        tuple(r.samples for r in recordings),
        depth,
        tuple(tuple((r.name, i) for i in range(r.frames)) for r in recordings),
    )


def _whole(recording: KitRecording) -> list[Place]:
    return [(recording.name, frame) for frame in range(recording.frames)]


def _stream(
    variant: Variant,
    direction: Direction,
    check: str,
    setting: str,
    lines: Sequence[list[Place]],
    pattern: Sequence[int],
    waits: Sequence[int],
) -> Task:
    """Rows that go through their `lines` of frames; a None in a line is where the row is reset.

    `pattern`: frames per step, again and again. `waits`: rows that wait at every third step, each
    at another. A row whose line is at its end goes on with something that is not judged.
    """
    left = [list(line) for line in lines]
    steps: list[Step] = []
    places: list[list[Place]] = [[] for _ in lines]
    while any(left):
        number = len(steps)
        reset = [row for row, line in enumerate(left) if line and line[0] is None]
        for row in reset:
            del left[row][0]
        ready = [not (row in waits and number % 3 == row % 3) for row in range(len(lines))]
        reach = [_until_reset(line) for row, line in enumerate(left) if ready[row] and line]
        frames = min([pattern[number % len(pattern)], *reach])
        for row, line in enumerate(left):
            fed = line[:frames] if ready[row] else []
            places[row] += [*fed, *[None] * (frames - len(fed))]
            del line[: len(fed)]
        steps.append(Step(frames, tuple(ready), tuple(reset)))
    filled = tuple(tuple(line) for line in places)
    depth = len(variant.recordings["long"].codes)
    total = sum(step.frames for step in steps)
    lengths = (total * variant.config.frame_size,) * len(lines)
    given = _stream_input(variant, direction, filled, depth)
    return Task(check, setting, direction, given, lengths, depth, filled, tuple(steps))


def _until_reset(line: list[Place]) -> int:
    return line.index(None) if None in line else len(line)


def _stream_input(
    variant: Variant, direction: Direction, places: Sequence[Sequence[Place]], depth: int
) -> np.ndarray:
    """The input of a stream, frame by frame; noise-like values where nothing is judged."""
    size, channels = variant.config.frame_size, variant.config.channels
    if direction == "encode":
        shape, kind, idle = (channels, len(places[0]) * size), np.float32, 0.25
    else:
        shape, kind, idle, size = (depth, len(places[0])), np.int64, 1, 1
    fed = np.full((len(places), *shape), idle, kind)
    for row, line in enumerate(places):
        for at, place in enumerate(line):
            if place is None:
                continue
            recording = variant.recordings[place[0]]
            source = recording.audio if direction == "encode" else recording.codes
            piece = source[:, place[1] * size : (place[1] + 1) * size]
            fed[row, :, at * size : (at + 1) * size] = 0
            fed[row, :, at * size : at * size + piece.shape[1]] = piece
    return fed
