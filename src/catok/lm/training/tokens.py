"""From a manifest of recordings to one of codes, once: tokens.jsonl and a .cat file for each.

Several processes may share the work. Each recording's file is written in one step, so that whoever
is stopped, or does what another has done, does no harm; what is there already is kept.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from catok.audio import read_blocks
from catok.io.cat_file import MAX_MODEL_ID_BYTES, read_header
from catok.io.files import replacing
from catok.lm.training.manifest import Spoken
from catok.tokenizer.tokenizer import CausalAudioTokenizer
from catok.training.distributed import Group

TOKENS = "tokens.jsonl"
BLOCK_SECONDS = 10.0


def token_folder(manifest: str | Path, tok: CausalAudioTokenizer) -> Path:
    """Where a manifest's codes go unless told otherwise: beside it, by name and code space."""
    manifest = Path(manifest)
    return manifest.parent / f"{manifest.name.partition('.')[0]}.tokens-{tok.weight_hash}"


def write_tokens(
    recordings: Sequence[Spoken],
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
    errors: dict[str, str] = {}
    for number, recording in enumerate(mine, 1):
        target = folder / code_file(recording)
        if not _is_there(target, tok):
            target.parent.mkdir(exist_ok=True)
            try:
                _encode(recording, target, tok)
            except (ValueError, RuntimeError) as error:
                errors[str(recording.audio)] = str(error)
        report(number, len(mine))
    if errors:
        lines = [json.dumps({"audio": audio, "error": why}) for audio, why in errors.items()]
        with replacing(folder / f"skipped-{group.rank}.jsonl") as temporary:
            Path(temporary).write_text("\n".join(lines) + "\n")
    group.wait()
    if group.first:
        kept = [line for r in recordings if (line := _line(r, folder, tok)) is not None]
        if not kept:
            raise ValueError(f"no recording could be encoded; see {folder}/skipped-0.jsonl")
        with replacing(folder / TOKENS) as temporary:
            Path(temporary).write_text("\n".join(kept) + "\n")
    group.wait()
    return folder / TOKENS


def code_file(recording: Spoken) -> Path:
    """The .cat file of a recording below the folder of tokens: by its path, whatever its line."""
    assert recording.audio is not None
    digest = hashlib.sha1(str(recording.audio.resolve()).encode()).hexdigest()
    return Path(digest[:2]) / f"{recording.audio.stem[:60]}-{digest[:12]}.cat"


def _is_there(path: Path, tok: CausalAudioTokenizer) -> bool:
    """Whether a whole file of this tokenizer's codes lies at `path`; checksums are for reading."""
    try:
        header = read_header(path)
        whole = path.stat().st_size == header.file_size
    except (ValueError, OSError):
        return False
    found = header.weight_hash, header.num_quantizers
    return whole and found == (tok.weight_hash, tok.num_quantizers)


def _encode(recording: Spoken, target: Path, tok: CausalAudioTokenizer) -> None:
    assert recording.audio is not None
    session = tok.stream_encoder()
    codes = []
    for block in read_blocks(recording.audio, tok.sample_rate, tok.channels, BLOCK_SECONDS):
        codes.append(session.push(block).cpu())
    samples = session.samples
    codes.append(session.flush().cpu())
    encoded = tok.encoded(torch.cat(codes, dim=2), torch.tensor([samples]))
    name = tok.model_id.encode()[:MAX_MODEL_ID_BYTES].decode(errors="ignore")
    replace(encoded, model_id=name).save(target)


def _line(recording: Spoken, folder: Path, tok: CausalAudioTokenizer) -> str | None:
    """The recording's line in tokens.jsonl; None where it has no codes."""
    path = recording.codes or folder / code_file(recording)
    try:
        header = read_header(path)
    except (ValueError, OSError):
        return None
    facts = {
        "codes": os.path.relpath(path, folder),
        "frames": header.frames,
        "weights": header.weight_hash,
        "audio": recording.audio and os.path.relpath(recording.audio, folder),
        "duration": round(header.seconds, 4),
        "text": recording.text,
        "language": recording.language,
        "speaker": recording.voice,
    }
    return json.dumps({k: v for k, v in facts.items() if v is not None}, ensure_ascii=False)
