"""Shards of recordings through a tokenizer: the one function behind every way to run a job."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields

from catok.corpus.ledger import Failure, ShardEntry, TokenFolder
from catok.corpus.packing import RowPacker, Tokenized
from catok.corpus.reading import Reader
from catok.corpus.recording import Recording
from catok.corpus.token_row import TokenRow
from catok.tokenizer.tokenizer import CausalAudioTokenizer

SILENT = 1e-3  # -60 dB: a peak below it is silence
PACKING = {"cpu": (1, 256), "cuda": (64, 25)}  # rows and frames: few rows keep caches warm on CPUs


@dataclass
class TokenizeSummary:
    """What a run did. Times in seconds; `audio` is that of the recordings encoded by this run.

    `kept`: recordings of shards that were done before, and `failed_before` those of them that
    failed then. `total`: recordings of the job, and `expected` their audio where it could be
    estimated. `waited`: time spent on waiting for audio.
    `computed` and `used`: frames that were computed, and those of them that belong to recordings.
    `size`: bytes of the shards written by this run.
    """

    total: int = 0
    recordings: int = 0
    kept: int = 0
    failed_before: int = 0
    failures: int = 0
    silent: int = 0
    clipped: int = 0
    audio: float = 0.0
    expected: float | None = None
    elapsed: float = 0.0
    waited: float = 0.0
    computed: int = 0
    used: int = 0
    size: int = 0

    @property
    def hours_per_hour(self) -> float:
        """Audio-hours per hour."""
        return self.audio / self.elapsed if self.elapsed else math.nan

    @property
    def padding(self) -> float:
        """Share of the computed frames that belong to no recording."""
        return 1 - self.used / self.computed if self.computed else 0.0

    @property
    def bottleneck(self) -> str:
        """ "reading" where more time went on waiting for audio than on encoding, else "model"."""
        return "reading" if self.waited > self.elapsed / 2 else "model"

    def add(self, other: "TokenizeSummary") -> None:
        """Add the counts of a worker to those of the job; not the times, which run in parallel."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


COUNTS = tuple(
    item.name
    for item in fields(TokenizeSummary)
    if item.name not in ("total", "kept", "failed_before", "expected", "elapsed")
)


class TooManyFailures(ValueError):
    """More recordings failed than the run allows."""


@dataclass
class _OpenShard:
    """A shard in work: its recordings, and what has come back of them."""

    recordings: Sequence[Recording]
    results: dict[int, Tokenized[tuple[int, int]]] = field(default_factory=dict)


def encode_shards(
    tokenizer: CausalAudioTokenizer,
    folder: TokenFolder,
    shards: Iterable[tuple[int, Sequence[Recording]]],
    *,
    num_quantizers: int | None = None,
    rows: int | None = None,
    frames: int | None = None,
    workers: int = 0,
    max_failures: int | None = None,
    summary: TokenizeSummary | None = None,
    report: Callable[[TokenizeSummary], None] = lambda summary: None,
    done: Callable[[int], None] = lambda index: None,
) -> TokenizeSummary:
    """Encode shards, each its number and recordings, and write them to `folder` as they are whole.

    `shards` is asked for the next one when a row is free, so that rows are never idle between
    shards. `report` is called after every recording, `done` after every shard. The other settings
    are those of `TokenizeConfig`. Raises TooManyFailures.
    """
    summary = summary or TokenizeSummary()
    began = time.perf_counter()
    reader = Reader(tokenizer.sample_rate, tokenizer.channels, workers)
    device = tokenizer.device.type
    best = PACKING.get(device, PACKING["cuda"])
    fixed = device != "cpu"
    packer = RowPacker(tokenizer, rows or best[0], frames or best[1], num_quantizers, fixed=fixed)
    working: dict[int, _OpenShard] = {}

    def wanted() -> Iterator[tuple[tuple[int, int], Recording]]:
        for index, recordings in shards:
            folder.forget(index)
            working[index] = _OpenShard(recordings)
            for place, recording in enumerate(recordings):
                yield (index, place), recording

    for item in packer.encode(reader.read(wanted())):
        index, place = item.key
        shard = working[index]
        shard.results[place] = item
        _count(summary, item, tokenizer.sample_rate)
        summary.elapsed = time.perf_counter() - began
        summary.waited = reader.waited
        summary.computed, summary.used = packer.work.computed, packer.work.used
        report(summary)
        if max_failures is not None and summary.failures > max_failures:
            name = shard.recordings[place].id
            raise TooManyFailures(
                f"{summary.failures} recordings failed, the last {name}: {item.error}"
            )
        if len(shard.results) == len(shard.recordings):
            _write(folder, index, working.pop(index))
            summary.size += folder.size(index)
            done(index)
    summary.elapsed = time.perf_counter() - began
    return summary


def _count(summary: TokenizeSummary, item: Tokenized, sample_rate: int) -> None:
    summary.recordings += 1
    if item.error is not None:
        summary.failures += 1
        return
    summary.audio += item.samples / sample_rate
    summary.silent += item.peak < SILENT
    summary.clipped += item.clipped > 0


def _write(folder: TokenFolder, index: int, shard: _OpenShard) -> None:
    results = [
        (recording, shard.results[place]) for place, recording in enumerate(shard.recordings)
    ]
    good = [(recording, item) for recording, item in results if item.error is None]
    written = results if folder.settings.format == "shar" else good
    rows = [
        TokenRow(recording.id, item.codes, item.samples, recording.columns)
        for recording, item in written
        if item.error is None or recording.part is not None  # cuts of a Shar keep their place
    ]
    failures = [
        Failure(recording.id, recording.name, item.error)
        for recording, item in results
        if item.error is not None
    ]
    folder.write(
        index,
        rows,
        ShardEntry(
            tuple((recording.id, recording.version) for recording in shard.recordings),
            rows=len(good),
            samples=sum(item.samples for _, item in good),
            frames=sum(len(item.codes) for _, item in good),
            silent=sum(item.peak < SILENT for _, item in good),
            clipped=sum(item.clipped > 0 for _, item in good),
            failures=tuple(failures),
        ),
    )
