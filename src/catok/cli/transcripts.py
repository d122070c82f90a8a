"""Transcripts as a command writes them: lines of text, JSON lines or subtitles."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from catok.cli.errors import UsageError
from catok.cli.files import FileJob, FilePlan, output_file
from catok.cli.terminal import shown
from catok.io.files import replacing
from catok.io.lock import try_lock

if TYPE_CHECKING:
    from catok.lm.asr.transcript import Transcript

SUFFIXES = (".txt", ".jsonl", ".srt")


def output_kind(out: str | None) -> str:
    """The suffix of the output, ".txt" for standard output. Raises UsageError for another one, and
    ValueError where its folder does not exist.
    """
    path = None if out is None else output_file(out, SUFFIXES)
    return ".txt" if path is None else path.suffix.lower()


def recording_ids(inputs: Iterable[str], jobs: Iterable[FileJob]) -> dict[str, str]:
    """Ids of the recordings by the jobs' names: their paths from the folder that holds all inputs,
    less the suffix. So are they found by `catok score asr --hypotheses`.

    Raises ValueError where two recordings would have the same.
    """
    places = [Path(os.path.abspath(name)) for name in inputs]
    top = os.path.commonpath([place if place.is_dir() else place.parent for place in places])
    names: dict[str, str] = {}  # of jobs, by id
    for job in jobs:
        recording_id = Path(job.name).stem
        if isinstance(job.source, Path):
            path = Path(os.path.abspath(job.source)).relative_to(top)
            recording_id = path.with_suffix("").as_posix()
        if recording_id in names:
            raise ValueError(
                f"{names[recording_id]} and {job.name} would both have the id {recording_id}: "
                "rename one, or leave it out"
            )
        names[recording_id] = job.name
    return {name: recording_id for recording_id, name in names.items()}


def format_transcript(
    name: str, key: str, many: bool, transcript: "Transcript", seconds: float, kind: str
) -> str:
    """The transcript as it stands in the output, with the newline that ends it; `key`: its id."""
    words = transcript.words
    if kind == ".srt":
        from catok.lm.asr.subtitles import subrip

        return subrip(transcript, seconds)
    if kind == ".jsonl":
        row: dict[str, Any] = {"id": key, "audio": name, "text": transcript.text}
        row |= {"seconds": round(seconds, 3), "log_prob": round(transcript.log_prob, 4)}
        row |= {"ended": transcript.ended}
        if words is not None:
            row["words"] = [[w.text, round(w.start, 3), round(w.end, 3)] for w in words]
        try:
            line = json.dumps(row, ensure_ascii=False)
            line.encode()
        except UnicodeEncodeError:  # a name that is not UTF-8: escaped, it reads back as it was
            line = json.dumps(row)
        return line + "\n"
    lead = f"{shown(name)}\t" if many else ""
    if words is None:
        return f"{lead}{_one_line(transcript.text)}\n"
    return "".join(f"{lead}{w.start:.2f}\t{w.end:.2f}\t{_one_line(w.text)}\n" for w in words)


class TranscriptFile:
    """Context of the file that gets the transcripts of many recordings, as they are made.

    A file that is there is gone on with: `left` takes away the jobs that it has. It is locked, so
    that two runs cannot mix their lines.
    """

    def __init__(self, path: str, kind: str, anew: bool) -> None:
        """`anew`: begin with an empty file. Raises ValueError where another run has the file, or
        it holds something else.
        """
        self._kind, self._path = kind, path
        self._file = open(path, "r+b" if os.path.exists(path) else "x+b", buffering=0)  # noqa: SIM115
        try:
            self._lock()
            self._ids = {} if anew else self._read()
            self._end = 0 if anew else self._file.tell()
            self._started = False
        except BaseException:
            self._file.close()
            raise

    def left(self, todo: FilePlan, keys: Mapping[str, str]) -> FilePlan:
        """The plan less the recordings that the file has; `keys`: ids by the jobs' names.

        Raises ValueError where it has a recording by another id: ids depend on the inputs.
        """
        jobs = []
        for job in todo.jobs:
            recording_id = self._ids.get(self._name(job.name))
            if recording_id is None:
                jobs.append(job)
            elif recording_id != keys.get(job.name, ""):
                raise ValueError(
                    f"{self._path} has {job.name} with the id {recording_id}, from other inputs: "
                    "choose another -o, or replace it with --overwrite"
                )
        return FilePlan(jobs, todo.many, todo.left_out, kept=len(todo.jobs) - len(jobs))

    def write(self, text: str) -> None:
        """Append the lines of one recording; they are in the file when this returns."""
        if not self._started:  # what was there stays until there is something better
            self._file.truncate(self._end)
            self._file.seek(self._end)
            self._started = True
        data = memoryview(text.encode())
        while data:
            data = data[self._file.write(data) :]

    def __enter__(self) -> "TranscriptFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if os.fstat(self._file.fileno()).st_size == 0:
            os.unlink(self._path)
        self._file.close()

    def _name(self, name: str) -> str:
        return name if self._kind == ".jsonl" else shown(name)

    def _lock(self) -> None:
        try:
            free = try_lock(self._file.fileno())
        except OSError:  # no locks here
            return
        if not free:
            raise ValueError(f"{self._path} is being written by another run: choose another -o")

    def _read(self) -> dict[str, str]:
        """Ids by the names in whole lines, "" in text; the file is then at the end of these."""
        data = self._file.read()
        whole = data[: data.rfind(b"\n") + 1]  # a killed run may leave part of a line
        self._file.seek(len(whole))
        ids = {}
        for number, line in enumerate(whole.decode(errors="replace").split("\n")[:-1], start=1):
            try:
                row = json.loads(line) if self._kind == ".jsonl" else _row(line)
                ids[row["audio"]] = row["id"]
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(
                    f"{self._path}, line {number}: no transcript of several recordings: choose "
                    "another -o, or replace it with --overwrite"
                ) from error
        return ids


def write_whole(path: str, text: str) -> None:
    """Make, or replace, the file of a single transcript."""
    with replacing(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")


def check_output(kind: str, many: bool) -> None:
    """Raise UsageError for several recordings in a file that is of one."""
    if kind == ".srt" and many:
        raise UsageError("a .srt file is of one recording: name .txt or .jsonl for several")


def _row(line: str) -> dict[str, str]:
    name, tab, _ = line.partition("\t")
    if not tab:
        raise ValueError("no name")
    return {"audio": name, "id": ""}


def _one_line(text: str) -> str:
    return " ".join(text.split())
