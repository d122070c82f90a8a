"""A corpus in, token shards out.

Recordings go to shards in their order, `shard_size` to each, so that the same input gives the same
shards, byte by byte, however often a run was stopped, and however many machines share them.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from catok import __version__
from catok.corpus.inputs import Recording, read_inputs
from catok.corpus.ledger import Failure, Settings, ShardEntry, TokenFolder
from catok.corpus.packing import RowPacker, Tokenized
from catok.corpus.reading import Reader
from catok.corpus.rows import CodeSpace, TokenRow
from catok.io.lock import folder_lock
from catok.tokenizer.tokenizer import CausalAudioTokenizer

SILENT = 1e-3  # -60 dB: a peak below it is silence
PACKING = {"cpu": (1, 256), "cuda": (64, 25)}  # rows and frames: few rows keep caches warm on CPUs


@dataclass(frozen=True)
class TokenizeConfig:
    """How a corpus is tokenized.

    `num_quantizers`: codebooks to keep (None: all). `format` and `shard_size` (recordings) of the
    output. `rows` and `frames`: recordings encoded at once and frames of each per step (None: what
    `benchmarks/tokenize.py` found best for the device, see `PACKING`). `workers`:
    processes that read audio ahead. `shard`: (i, n), counted from 0, takes every n-th shard only,
    for several machines on one output. `max_failures`: stop with an error beyond so many (None:
    never). `retry_failed`: make shards with failures again.
    """

    num_quantizers: int | None = None
    format: str = "parquet"
    shard_size: int = 1000
    rows: int | None = None
    frames: int | None = None
    workers: int = 0
    shard: tuple[int, int] = (0, 1)
    max_failures: int | None = None
    retry_failed: bool = False

    def __post_init__(self) -> None:
        for name in ("shard_size", "rows", "frames"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        index, count = self.shard
        if not 0 <= index < count:
            raise ValueError(f"shard must be i of n with 0 <= i < n, got {index} of {count}")


@dataclass
class TokenizeSummary:
    """What a run did. Times in seconds; `audio` is that of the recordings encoded by this run."""

    recordings: int = 0
    kept: int = 0
    failures: int = 0
    silent: int = 0
    clipped: int = 0
    audio: float = 0.0
    elapsed: float = 0.0
    waited: float = 0.0
    padding: float = 0.0

    @property
    def hours_per_hour(self) -> float:
        """Audio-hours per hour."""
        return self.audio / self.elapsed if self.elapsed else math.nan

    @property
    def bottleneck(self) -> str:
        """ "reading" where more time went on waiting for audio than on encoding, else "model"."""
        return "reading" if self.waited > self.elapsed / 2 else "model"


@dataclass
class _Shard:
    """A shard in work: its recordings, and what has come back of them."""

    recordings: Sequence[Recording]
    found: dict[str, Tokenized[str]] = field(default_factory=dict)


class TooManyFailures(ValueError):
    """More recordings failed than the run allows."""


def tokenize(
    tokenizer: CausalAudioTokenizer,
    inputs: Sequence[str | Path],
    out: str | Path,
    config: TokenizeConfig | None = None,
    *,
    report: Callable[[TokenizeSummary], None] = lambda summary: None,
) -> TokenizeSummary:
    """Encode the recordings of `inputs` (see `read_inputs`) into shards in the folder `out`.

    What is done already is kept: a run that was stopped goes on, losing at most the shards in
    work; recordings replaced since are encoded again. A recording that cannot be read is noted in
    failed.jsonl and the others go on. `report` is called after every recording.

    Raises ValueError where the folder is in use or holds other codes, where inputs are missing, and
    `TooManyFailures`.
    """
    config = config or TokenizeConfig()
    recordings = read_inputs(inputs)
    part = "" if config.shard[1] == 1 else f"part-{config.shard[0]}-of-{config.shard[1]}"
    Path(out).mkdir(parents=True, exist_ok=True)
    with folder_lock(Path(out, part) if part else out):
        settings = Settings(code_space(tokenizer, config), config.format, config.shard_size)
        folder = TokenFolder.create(out, settings)
        return _run(tokenizer, recordings, folder, config, report)


def code_space(tokenizer: CausalAudioTokenizer, config: TokenizeConfig) -> CodeSpace:
    """What codes made with this tokenizer and these settings have in common."""
    parameter = next(tokenizer.encoder.parameters())
    return CodeSpace(
        model=tokenizer.model_id,
        weight_hash=tokenizer.weight_hash,
        dtype=str(parameter.dtype).removeprefix("torch."),
        num_quantizers=config.num_quantizers or tokenizer.num_quantizers,
        codebook_size=tokenizer.codebook_size,
        sample_rate=tokenizer.sample_rate,
        channels=tokenizer.channels,
        frame_size=tokenizer.frame_size,
        version=__version__,
    )


def _run(
    tokenizer: CausalAudioTokenizer,
    recordings: Sequence[Recording],
    folder: TokenFolder,
    config: TokenizeConfig,
    report: Callable[[TokenizeSummary], None],
) -> TokenizeSummary:
    summary, began = TokenizeSummary(), time.perf_counter()
    reader = Reader(tokenizer.sample_rate, tokenizer.channels, config.workers)
    device = tokenizer.device.type
    rows, frames = PACKING.get(device, PACKING["cuda"])
    packer = RowPacker(
        tokenizer,
        config.rows or rows,
        config.frames or frames,
        config.num_quantizers,
        fixed=device != "cpu",
    )
    shards: dict[int, _Shard] = {}

    def wanted() -> Iterator[Recording]:
        """The recordings of the shards that are not done, shard by shard."""
        size, (first, step) = config.shard_size, config.shard
        for index in range(first, math.ceil(len(recordings) / size), step):
            own = recordings[index * size : (index + 1) * size]
            entry = folder.entry(index)
            retry = config.retry_failed and entry is not None and entry.failures
            if entry is not None and entry.is_of(own) and not retry:
                summary.kept += len(own)
                continue
            folder.forget(index)
            shards[index] = _Shard(own)
            yield from own

    places = {
        recording.id: index // config.shard_size for index, recording in enumerate(recordings)
    }
    tasks = ((recording.id, blocks) for recording, blocks in reader.read(wanted()))
    for item in packer.encode(tasks):
        index = places[item.key]
        shard = shards[index]
        shard.found[item.key] = item
        _count(summary, item, tokenizer.sample_rate)
        summary.elapsed = time.perf_counter() - began
        summary.waited, summary.padding = reader.waited, packer.work.padding
        report(summary)
        if config.max_failures is not None and summary.failures > config.max_failures:
            folder.write_failures()
            raise TooManyFailures(
                f"{summary.failures} recordings failed, the last {item.key}: {item.error}"
            )
        if len(shard.found) == len(shard.recordings):
            _write(folder, index, shards.pop(index))
    folder.write_failures()
    return summary


def _count(summary: TokenizeSummary, item: Tokenized[str], sample_rate: int) -> None:
    summary.recordings += 1
    if item.error is not None:
        summary.failures += 1
        return
    summary.audio += item.samples / sample_rate
    summary.silent += item.peak < SILENT
    summary.clipped += item.clipped > 0


def _write(folder: TokenFolder, index: int, shard: _Shard) -> None:
    found = [shard.found[recording.id] for recording in shard.recordings]
    good = [item for item in found if item.error is None]
    columns = {recording.id: recording.columns for recording in shard.recordings}
    rows = [TokenRow(item.key, item.codes, item.samples, columns[item.key]) for item in good]
    folder.format.write(folder.shard(index), rows, folder.settings.space)
    failures = [
        Failure(recording.id, recording.audio, item.error)
        for recording, item in zip(shard.recordings, found, strict=True)
        if item.error is not None
    ]
    entry = ShardEntry(
        tuple((recording.id, recording.version) for recording in shard.recordings),
        rows=len(rows),
        samples=sum(item.samples for item in good),
        frames=sum(len(item.codes) for item in good),
        silent=sum(item.peak < SILENT for item in good),
        clipped=sum(item.clipped > 0 for item in good),
        failures=tuple(failures),
    )
    folder.add(index, entry)
