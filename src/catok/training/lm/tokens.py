"""From a manifest of recordings to one of codes, once: tokens.jsonl and a .cat file for each.

Several processes may share the work. Each recording's file is written in one step, so that whoever
is stopped, or does what another has done, does no harm; what is there already is kept, unless the
recording has changed since.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from catok.data.entry import Entry
from catok.io.cat_file import read_header
from catok.io.files import replacing
from catok.tokenizer.files import encode_file
from catok.tokenizer.tokenizer import CausalAudioTokenizer
from catok.training.engine.distributed import Group
from catok.training.lm.corpus import prompt_fields

TOKENS = "tokens.jsonl"


def token_folder(data: str | Path, tok: CausalAudioTokenizer) -> Path:
    """Where the codes of a manifest or folder go unless told otherwise: beside it, by name and code
    space.
    """
    data = Path(os.path.abspath(data))
    name = data.name if data.is_dir() else data.name.partition(".")[0]
    return data.parent / f"{name}.tokens-{tok.weight_hash}"


def write_tokens(
    recordings: Sequence[Entry],
    folder: str | Path,
    tok: CausalAudioTokenizer,
    *,
    group: Group | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Encode what has no codes yet, with all codebooks; returns the path of tokens.jsonl.

    Every process of `group` calls this and takes its share; `report(done, total)` counts that.
    Recordings that cannot be read are left out of tokens.jsonl; skipped-RANK.jsonl says why. Raises
    ValueError when nothing is left.
    """
    group, folder = group or Group(), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mine = [r for r in recordings[group.rank :: group.world] if r.codes is None]
    errors: list[dict[str, str]] = []
    for number, recording in enumerate(mine, 1):
        try:
            target = folder / code_file(recording)
            if not _is_there(target, tok):
                target.parent.mkdir(exist_ok=True)
                _encode(recording, target, tok)
                _remove_older(target)
        except (ValueError, RuntimeError) as error:
            errors.append({"audio": recording.name, "error": str(error)})
        report(number, len(mine))
    skipped = folder / f"skipped-{group.rank}.jsonl"
    skipped.unlink(missing_ok=True)
    if errors:
        with replacing(skipped) as temporary:
            Path(temporary).write_text("".join(json.dumps(error) + "\n" for error in errors))
    group.wait()
    if group.first:
        kept = [line for r in recordings if (line := _line(r, folder, tok)) is not None]
        if not kept:
            raise ValueError(f"no recording could be encoded; see {folder}/skipped-0.jsonl")
        with replacing(folder / TOKENS) as temporary:
            Path(temporary).write_text("\n".join(kept) + "\n")
    group.wait()
    return folder / TOKENS


def code_file(recording: Entry) -> Path:
    """The .cat file of a recording below the folder of tokens: by its path, its offset and
    duration, and the size and time of its audio, so that another one under its name is another.

    Raises ValueError where the audio is not there.
    """
    assert recording.audio is not None
    place: list[Any] = [str(recording.audio.resolve())]
    if recording.offset is not None:
        place += [recording.offset, recording.duration]
    try:
        state = os.stat(recording.audio)
    except OSError as error:
        raise ValueError(f"{recording.audio} cannot be read: {error.strerror}") from error
    where, what = _digest(place), _digest([state.st_size, state.st_mtime_ns])
    return Path(where[:2], f"{where}-{what}.cat")


def _digest(values: Sequence[Any]) -> str:
    text = json.dumps(values)  # as ASCII, whatever a path is made of
    return hashlib.sha1(text.encode()).hexdigest()[:12]


def _remove_older(target: Path) -> None:
    """Remove the codes of what the recording was before."""
    for file in target.parent.glob(f"{target.name.partition('-')[0]}-*.cat"):
        if file != target:
            file.unlink(missing_ok=True)


def _is_there(path: Path, tok: CausalAudioTokenizer) -> bool:
    """Whether a whole file of this tokenizer's codes lies at `path`; checksums are for reading."""
    try:
        header = read_header(path)
        whole = path.stat().st_size == header.file_size
    except (ValueError, OSError):
        return False
    found = header.weight_hash, header.num_quantizers
    return whole and found == (tok.weight_hash, tok.num_quantizers)


def _encode(recording: Entry, target: Path, tok: CausalAudioTokenizer) -> None:
    if recording.error is not None:
        raise ValueError(recording.error)
    assert recording.audio is not None
    part = recording.offset is not None  # the duration of a whole file is only what a list says
    encode_file(
        tok,
        recording.audio,
        target,
        offset=recording.offset,
        duration=recording.duration if part else None,
    )


def _line(recording: Entry, folder: Path, tok: CausalAudioTokenizer) -> str | None:
    """The recording's line in tokens.jsonl; None where it has no codes."""
    try:
        path = recording.codes or folder / code_file(recording)
        header = read_header(path)
    except (ValueError, OSError):
        return None
    facts = {
        "codes": os.path.relpath(path, folder),
        "frames": header.frames,
        "weights": header.weight_hash,
        "audio": recording.audio and os.path.relpath(recording.audio, folder),
        "offset": recording.offset,
        "duration": round(header.seconds, 4),
        "text": recording.text,
        "speaker": recording.speaker,
        **prompt_fields(recording).own_fields(),
    }
    return json.dumps({k: v for k, v in facts.items() if v is not None})
