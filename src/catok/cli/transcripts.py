"""Transcripts as a command writes them: lines of text, JSON lines or subtitles."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from catok.cli.errors import UsageError
from catok.cli.files import Job
from catok.lm.asr.subtitles import subrip
from catok.lm.asr.transcript import Transcript

SUFFIXES = (".txt", ".jsonl", ".srt")


def output_kind(out: str | None) -> str:
    """The suffix of the output, ".txt" for standard output. Raises UsageError for another one, and
    ValueError where its folder does not exist.
    """
    if out is None:
        return ".txt"
    if Path(out).suffix not in SUFFIXES:
        raise UsageError(f"{out}: name a file that ends in {', '.join(SUFFIXES)}")
    if not Path(out).parent.is_dir():
        raise ValueError(f"cannot write {out}: its folder does not exist, create it first")
    return Path(out).suffix


def recording_ids(inputs: Iterable[str], jobs: Iterable[Job]) -> dict[str, str]:
    """Ids of the recordings by the jobs' names: their paths from the folder that holds all inputs,
    less the suffix. So are they found by `catok score asr --hypotheses`.

    Raises ValueError where two recordings would have the same.
    """
    places = [Path(os.path.abspath(name)) for name in inputs]
    top = os.path.commonpath([place if place.is_dir() else place.parent for place in places])
    names: dict[str, str] = {}  # of jobs, by id
    for job in jobs:
        found = Path(job.name).stem
        if isinstance(job.source, Path):
            path = Path(os.path.abspath(job.source)).relative_to(top)
            found = path.with_suffix("").as_posix()
        if found in names:
            raise ValueError(
                f"{names[found]} and {job.name} would both have the id {found}: rename one, or "
                "leave it out"
            )
        names[found] = job.name
    return {name: found for found, name in names.items()}


def written(
    name: str, key: str, many: bool, transcript: Transcript, seconds: float, kind: str
) -> str:
    """The transcript as it stands in the output, with the newline that ends it; `key`: its id."""
    words = transcript.words
    if kind == ".srt":
        return subrip(transcript, seconds)
    if kind == ".jsonl":
        row: dict[str, Any] = {"id": key, "audio": name, "text": transcript.text}
        row |= {"seconds": round(seconds, 3), "log_prob": round(transcript.log_prob, 4)}
        row |= {"ended": transcript.ended}
        if words is not None:
            row["words"] = [[w.text, round(w.start, 3), round(w.end, 3)] for w in words]
        return json.dumps(row, ensure_ascii=False) + "\n"
    lead = f"{name}\t" if many else ""
    if words is None:
        return f"{lead}{_one_line(transcript.text)}\n"
    return "".join(f"{lead}{w.start:.2f}\t{w.end:.2f}\t{_one_line(w.text)}\n" for w in words)


def _one_line(text: str) -> str:
    return " ".join(text.split())
