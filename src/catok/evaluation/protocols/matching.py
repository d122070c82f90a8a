"""Which hypothesis is of which utterance: by id, or by the name of the recording."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from catok.evaluation.protocols.items import Transcribed


def matched(items: Sequence[Transcribed], hypotheses: Mapping[str, str]) -> dict[str, str]:
    """The hypotheses' texts by the ids of the items.

    An id that no item has stands for the recording whose path ends so, less the suffix: "61/a" is
    data/61/a.flac whatever its id. That is how `catok asr` names recordings in folders.

    Raises ValueError where hypotheses are of other utterances, could be of several, or where two
    are of the same.
    """
    known = {item.id for item in items}
    by_name: dict[str, list[Transcribed]] = {}
    for item in items:
        by_name.setdefault(item.audio.stem, []).append(item)
    strange: list[str] = []
    source: dict[str, str] = {}  # by the item's id, the hypothesis's
    for name in hypotheses:
        found = [name] if name in known else _ending_in(name, by_name)
        if not found:
            strange.append(name)
            continue
        if len(found) > 1:
            raise ValueError(f"hypothesis {name} could be of {found[0]} or {found[1]}: name it so")
        other = source.setdefault(found[0], name)
        if other != name:
            raise ValueError(f"{other} and {name} are hypotheses of one utterance: leave one out")
    if strange:
        raise ValueError(
            f"{len(strange)} of {len(hypotheses)} hypotheses are of utterances that are not in the "
            f"data, such as {strange[0]}: the data has ids such as {items[0].id}"
        )
    return {item: hypotheses[name] for item, name in source.items()}


def _ending_in(name: str, by_name: Mapping[str, Sequence[Transcribed]]) -> list[str]:
    """Ids of the items whose audio is called so."""
    parts = PurePosixPath(name).parts
    candidates = by_name.get(parts[-1], ()) if parts else ()
    return [item.id for item in candidates if _parts(item.audio)[-len(parts) :] == parts]


def _parts(audio: Path) -> tuple[str, ...]:
    return Path(os.path.abspath(audio)).with_suffix("").parts
