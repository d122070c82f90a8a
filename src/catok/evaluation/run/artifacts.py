"""What a run keeps beside its rows: codes as `.cat` files, and clips to listen to as FLAC."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path

import torch
from torch import Tensor

from catok.audio import save_audio
from catok.codes import Encoded
from catok.evaluation.metrics.codebook_usage import CodebookStatistics, codebook_usage
from catok.evaluation.results_folder import Row
from catok.evaluation.run.recordings import EvalRecording
from catok.evaluation.run.rows import has_no_audio
from catok.evaluation.run.worker import Worker
from catok.modules.codebook_usage import count_codes

MAX_NAME_BYTES = 80
CLIP_SECONDS = 6.0
_STEP = 0.5  # seconds between the starts of clips that are tried


def slug(name: str) -> str:
    """The name of a system or setting as part of a file name, short and no other name's."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._")
    if plain == name.replace(" ", "_") and len(plain.encode()) <= MAX_NAME_BYTES:
        return plain
    end = plain.encode()[-MAX_NAME_BYTES:].decode(errors="ignore")
    return f"{end}-{hashlib.sha1(name.encode(errors='backslashreplace')).hexdigest()[:8]}"


def codes_folder(out: Path, system: str) -> Path:
    """Where a system's codes are."""
    return out / "codes" / slug(system)


def save_codes(out: Path, system: str, recording: EvalRecording, encoded: Encoded) -> Path:
    """Write the codes of one recording and return the file's path."""
    path = codes_folder(out, system) / f"{recording.stem}.cat"
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded.save(path)
    return path


def code_files(out: Path, recording: EvalRecording) -> list[Path]:
    """The codes of a recording by every system."""
    return sorted((out / "codes").glob(f"*/{escape(recording.stem)}.cat"))


def codebook_usage_of(
    out: Path, system: str, recordings: Sequence[EvalRecording]
) -> CodebookStatistics | None:
    """How the codebooks of a system were used over all its recordings; None if it kept no codes.

    Raises ValueError for files of different codebooks.
    """
    folder = codes_folder(out, system)
    files = [path for r in recordings if (path := folder / f"{r.stem}.cat").exists()]
    if not files:
        return None
    counts, encoded = None, None
    for path in files:
        encoded = Encoded.load(path)
        mask = torch.ones(1, encoded.codes.shape[2], dtype=torch.bool)
        counts_of_file = count_codes(encoded.codes, mask, encoded.codebook_size).double()
        if counts is not None and counts.shape != counts_of_file.shape:
            raise ValueError(
                f"{path} has {list(counts_of_file.shape)} codebooks x codes, the files before it "
                f"{list(counts.shape)}: evaluate each model into a folder of its own"
            )
        counts = counts_of_file if counts is None else counts + counts_of_file
    assert counts is not None and encoded is not None
    return codebook_usage(counts, encoded.frame_rate)


@dataclass(frozen=True)
class ClipTask:
    """A recording to make clips of, and the folder of the run."""

    recording: EvalRecording
    out: Path


def select_examples(
    recordings: Sequence[EvalRecording], rows: Sequence[Row], per_domain: int
) -> list[EvalRecording]:
    """The first `per_domain` recordings of each domain without a flag that all systems coded."""
    bad = {row["key"] for row in rows if row["flag"] or has_no_audio(row)}
    selected: dict[str, list[EvalRecording]] = {}
    for recording in recordings:
        group = selected.setdefault(recording.domain, [])
        if recording.key not in bad and len(group) < per_domain:
            group.append(recording)
    return [recording for domain in sorted(selected) for recording in selected[domain]]


def clip_path(out: Path, recording: EvalRecording, system: str, setting: str) -> Path:
    """Where the clip of one system at one setting is."""
    return clips_folder(out, recording) / f"{slug(system)}@{slug(setting)}.flac"


def clips_folder(out: Path, recording: EvalRecording) -> Path:
    """Where all clips of a recording are."""
    return out / "examples" / recording.stem


def loudest_part(audio: Tensor, sample_rate: int, seconds: float = CLIP_SECONDS) -> Tensor:
    """The part `[C, T]` of at most `seconds` with the most energy, on a grid of half a second."""
    length = round(seconds * sample_rate)
    if audio.shape[1] <= length:
        return audio
    energy = audio.double().square().sum(0).cumsum(0)
    starts = range(0, audio.shape[1] - length + 1, max(1, round(_STEP * sample_rate)))
    best = max(starts, key=lambda s: float(energy[s + length - 1] - energy[s]))
    return audio[:, best : best + length]


def make_clips(worker: Worker, task: ClipTask) -> None:
    """Run every system whose clips are missing on the clip alone. A system that fails leaves none.

    The clip is coded by itself, so it differs a little from the same place of the whole recording.
    """
    audio, rate = task.recording.load()
    clip = loudest_part(audio, rate)
    for system in worker.systems:
        paths = {s: clip_path(task.out, task.recording, system.name, s) for s in system.settings}
        if all(path.exists() for path in paths.values()):
            continue
        next(iter(paths.values())).parent.mkdir(parents=True, exist_ok=True)
        try:
            for output in system.run(clip, rate):
                save_audio(paths[output.setting], output.audio, rate)
        except MemoryError:
            raise
        except Exception:  # whatever a foreign codec raises; the report says what is missing
            continue
