"""Which files a command reads and which it writes, decided before any work.

One rule for all commands. `-o` names a folder if it ends in a slash, if there is one of that name,
or if there are several inputs; else a file, with a suffix that the command writes. Without `-o`,
outputs lie beside their inputs. A file that `-o` names is replaced, as by cp; every other output
has its name from an input and is never replaced without --overwrite.
"""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeVar

from catok.cli.errors import UsageError
from catok.cli.folders import announce, check_folder, make_folder
from catok.cli.output_layout import InputFile, output_paths
from catok.cli.pipes import check_stdout, spooled_input
from catok.data.folders import AUDIO_SUFFIXES, FoundFiles, find_files
from catok.io.files import is_pipe

T = TypeVar("T")

READS_AUDIO = AUDIO_SUFFIXES
READS_CAT = frozenset({".cat"})
WRITES_AUDIO = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".w64")
"""Suffixes of audio that is written; the first is the usual one."""
WRITES_CAT = (".cat",)
STDIN = "standard input"


@dataclass(frozen=True)
class FileJob:
    """One recording: what to read, and where the result goes (None: standard output)."""

    source: Path | BinaryIO
    target: Path | None

    @property
    def name(self) -> str:
        """The source, for messages."""
        if isinstance(self.source, Path):
            return str(self.source)
        name = getattr(self.source, "name", STDIN)
        return STDIN if name == "<stdin>" else name


@dataclass(frozen=True)
class FilePlan:
    """All jobs of a command that are still to do; `many` when folders or several inputs were given.

    `left_out`: files of the folders that are not jobs, by suffix; `kept`: jobs left out because
    their outputs exist; `where`: the place of the outputs, for the last line ("" for none, as on
    standard output).
    """

    jobs: list[FileJob]
    many: bool
    left_out: Counter[str] = field(default_factory=Counter)
    kept: int = 0
    where: str = ""


@dataclass(frozen=True)
class Existing:
    """What becomes of outputs that are there already: --overwrite, --skip-existing, or neither.

    Raises UsageError for both.
    """

    overwrite: bool = False
    skip: bool = False

    def __post_init__(self) -> None:
        if self.overwrite and self.skip:
            raise UsageError("--overwrite and --skip-existing exclude each other")

    def keeps(self, target: Path | None, named: bool) -> bool:
        """An output stays as it is, for it exists; `named`: by `-o`, which replaces it."""
        if target is None or self.overwrite or (named and not self.skip):
            return False
        return os.path.lexists(target)


@dataclass(frozen=True)
class Shard:
    """Part `index` of `count`, from 1: every count-th recording."""

    index: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str | None) -> "Shard":
        """From "i/n"; None is all. Raises UsageError for anything else."""
        if text is None:
            return cls()
        index, slash, count = text.partition("/")
        if slash and index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count):
            return cls(int(index), int(count))
        raise UsageError(f"--shard {text}: write I/N with I from 1 to N, such as 1/4")

    def of(self, jobs: list[T]) -> list[T]:
        """Its jobs; all shards together have each once, whatever is done already."""
        return jobs[self.index - 1 :: self.count]


def sources(inputs: tuple[str, ...], *reads: Collection[str]) -> FilePlan:
    """Jobs without targets: the files, those that the folders hold, or standard input for `-`,
    or a pipe with a name.

    Folders are searched for files of the first of `reads` of which there are any (see
    `find_files`). Raises UsageError for inputs that do not go together, ValueError for a single
    file that does not exist and for a folder that holds nothing to read.
    """
    if not inputs:
        raise UsageError("no input: name files or folders, or - for standard input")
    if any(map(_is_stream, inputs)):
        first, *others = inputs
        if others:
            raise UsageError(
                "standard input (-) or a pipe goes alone: name the other inputs in another run"
            )
        return FilePlan([FileJob(spooled_input(first), None)], many=False)
    items, many, left_out = _expanded(inputs, reads)
    return FilePlan([FileJob(item.source, None) for item in items], many, left_out)


def plan_jobs(
    inputs: tuple[str, ...],
    out: str | None,
    reads: Collection[str],
    writes: tuple[str, ...],
    existing: Existing = Existing(),
    shard: Shard = Shard(),
) -> FilePlan:
    """Expand the inputs as `sources` does and map each to its output.

    `writes`: suffixes that an output may have; the first is taken where its name is made up.
    Outputs in a folder lie there as their inputs in theirs; inputs of equal names keep their
    folders too, files that differ in their suffixes only keep these. A folder that `-o` names is
    made here. Raises what `sources` raises, and UsageError or ValueError for an output that cannot
    be written, would replace an input, or exists already and is the only one.
    """
    if len(inputs) == 1 and _is_stream(inputs[0]):
        out = "-" if out is None else out
        if is_folder(out):
            raise UsageError(
                f"what comes from a pipe has no name: name a {writes[0]} file in {out}"
            )
        target = output_file(out, writes)
        if existing.keeps(target, named=True):
            return FilePlan([], many=False, kept=1)
        jobs = [FileJob(spooled_input(inputs[0]), target)]
        return FilePlan(jobs, many=False, where=_where(target))
    if not inputs or any(map(_is_stream, inputs)):
        return sources(inputs)  # raises
    _check_no_output(inputs, reads, writes)
    items, many, left_out = _expanded(inputs, (reads,))
    named = not many and out is not None and not is_folder(out)
    if named:
        jobs = [FileJob(items[0].source, output_file(str(out), writes))]
    else:
        folder = None if out is None else folder_of_many(out, writes)
        targets = output_paths(items, folder, reads, writes[0])
        jobs = [FileJob(item.source, target) for item, target in zip(items, targets, strict=True)]
    _check_apart(jobs)
    jobs = shard.of(jobs)
    todo = [job for job in jobs if not existing.keeps(job.target, named)]
    if jobs and not todo and not many and not existing.skip:
        raise ValueError(
            f"{jobs[0].target} exists already: --overwrite replaces it, -o names another output"
        )
    if out is None and not many and todo:
        check_folder(Path(items[0].source).parent)
    elif out is not None and not named:
        make_folder(Path(out))
    for folder in {job.target.parent for job in todo if job.target is not None}:
        announce(folder)
    where = f"in {out or 'the folders of the inputs'}"
    if jobs and not many:
        where = _where(jobs[0].target)
    return FilePlan(todo, many, left_out, kept=len(jobs) - len(todo), where=where)


def audio_suffixes(format: str) -> tuple[str, ...]:
    """Suffixes of the audio that --format allows, the usual one first; "auto" is any."""
    return WRITES_AUDIO if format == "auto" else (f".{format}",)


def is_folder(out: str) -> bool:
    """The output that `-o` names is a folder, also one that is still to be made."""
    return out.endswith(("/", os.sep)) or os.path.isdir(out)


def output_file(out: str, writes: tuple[str, ...]) -> Path | None:
    """The file that `-o` names, None for standard output.

    Raises UsageError for a suffix that the command does not write, ValueError where the file
    cannot be written.
    """
    if out == "-":
        check_stdout()
        return None
    path = Path(out)
    if path.suffix.lower() not in writes:
        raise UsageError(
            f"-o {out}: name a file that ends in {_listed(writes)}, or a folder as {out}/"
        )
    check_folder(path.parent)
    if path.exists() and not path.is_file():
        raise ValueError(f"cannot write {out}: it is not a regular file, choose another name")
    return path


def _where(target: Path | None) -> str:
    return "" if target is None else f"in {target}"


def _is_stream(name: str) -> bool:
    return name == "-" or is_pipe(name)


def _expanded(
    inputs: tuple[str, ...], reads: Sequence[Collection[str]]
) -> tuple[list[InputFile], bool, Counter[str]]:
    """The files to read, whether there may be several, and what the folders hold besides."""
    items: list[InputFile] = []
    left_out: Counter[str] = Counter()
    for path in map(Path, dict.fromkeys(inputs)):
        if path.is_dir():
            inside = _found_in(path, reads)
            items += [InputFile(file, path) for file in inside.files]
            left_out += inside.left_out
        else:
            items.append(InputFile(path, path.parent))
    if not any(item.source.exists() for item in items):
        raise ValueError(f"{items[0].source} does not exist: check the path")
    return items, len(inputs) > 1 or any(map(os.path.isdir, inputs)), left_out


def _check_no_output(
    inputs: tuple[str, ...], reads: Collection[str], writes: tuple[str, ...]
) -> None:
    """Raises UsageError where the last input looks like an output, as cp and sox take it."""
    suffix = Path(inputs[-1]).suffix.lower()
    is_output = suffix in writes and suffix not in reads
    if len(inputs) > 1 and is_output and not os.path.lexists(inputs[-1]):
        raise UsageError(f"{inputs[-1]} does not exist: if it is the output, write -o {inputs[-1]}")


def _found_in(folder: Path, reads: Sequence[Collection[str]]) -> FoundFiles:
    """The files of the first of `reads` of which the folder has any. Raises ValueError if none."""
    inside = find_files(folder, reads[0])
    if inside.files:
        return inside
    if len(reads) > 1:
        return _found_in(folder, reads[1:])
    wanted = "audio" if ".wav" in reads[0] else _listed(sorted(reads[0]))
    besides = f" but {inside.summary}" if inside.left_out else ""
    raise ValueError(f"{folder} holds no {wanted} files{besides}: check the folder")


def folder_of_many(out: str, writes: tuple[str, ...]) -> Path:
    """The folder that `-o` names for several outputs. Raises UsageError or ValueError for files."""
    if out == "-":
        raise UsageError("only one input fits on standard output: name a folder with -o")
    if os.path.exists(out) and not os.path.isdir(out):
        raise ValueError(f"{out} is a file: with several inputs -o names a folder")
    if Path(out).suffix.lower() in writes and not is_folder(out):
        raise UsageError(f"with several inputs -o names a folder: write {out}/ if that is its name")
    return Path(out)


def _check_apart(jobs: Iterable[FileJob]) -> None:
    jobs = list(jobs)
    inputs = {os.path.realpath(job.source) for job in jobs if isinstance(job.source, Path)}
    taken: dict[str, FileJob] = {}
    for job in jobs:
        if job.target is None:
            continue
        target = os.path.realpath(job.target)
        if target in inputs:
            raise ValueError(f"{job.target} is an input and would be replaced: change -o")
        if target in taken:
            raise ValueError(
                f"{taken[target].name} and {job.name} would both become {job.target}: rename one, "
                "or give them outputs in separate runs"
            )
        taken[target] = job


def _listed(suffixes: Iterable[str]) -> str:
    return ", ".join(suffixes)
