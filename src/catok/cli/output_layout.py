"""Where outputs lie in a folder: as their inputs in theirs, under names that differ."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class InputFile:
    """A file to read, and the folder that its place in the output is counted from."""

    source: Path
    root: Path


def output_paths(
    items: list[InputFile], folder: Path | None, reads: Collection[str], suffix: str
) -> list[Path]:
    """An output for each input: in `folder`, or beside the inputs if None.

    `reads`: the suffixes of inputs, instead of which outputs have `suffix`.
    """
    if folder is None:
        places = [item.source for item in items]
    else:
        places = [item.source.relative_to(item.root) for item in items]
        for group in _alike(places, reads):
            if len({os.path.abspath(items[i].source.parent) for i in group}) > 1:
                paths = [os.path.abspath(items[i].source) for i in group]
                top = os.path.commonpath([os.path.dirname(path) for path in paths])
                for i, path in zip(group, paths, strict=True):
                    places[i] = Path(os.path.relpath(path, top))
    whole = {i for group in _alike(places, reads) for i in group}
    targets = [
        Path(f"{place if i in whole else _stem(place, reads)}{suffix}")
        for i, place in enumerate(places)
    ]
    return targets if folder is None else [folder / target for target in targets]


def _alike(places: list[Path], reads: Collection[str]) -> list[list[int]]:
    """Groups of the places, by index, that differ in nothing but their suffixes."""
    groups: dict[str, list[int]] = {}
    for index, place in enumerate(places):
        groups.setdefault(_stem(place, reads), []).append(index)
    return [group for group in groups.values() if len(group) > 1]


def _stem(place: Path, reads: Collection[str]) -> str:
    """The path less a suffix that is one of those read: of any other, a dot belongs to the name."""
    return str(place.with_suffix("") if place.suffix.lower() in reads else place)
