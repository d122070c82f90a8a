"""A corpus in, token shards out.

Recordings go to shards in their order, `shard_size` to each, so that the same input gives the same
shards, byte by byte, however often a run was stopped, and however many machines share them.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from catok import __version__
from catok.corpus.encoding import TokenizeSummary, TooManyFailures, encode_shards
from catok.corpus.formats import FORMATS
from catok.corpus.inputs import estimated_seconds, read_inputs
from catok.corpus.ledger import Settings, TokenFolder
from catok.corpus.recording import Recording
from catok.corpus.storage import storage_at
from catok.corpus.token_row import CodeSpace
from catok.tokenizer.checks import check_quantizers
from catok.tokenizer.tokenizer import CausalAudioTokenizer


@dataclass(frozen=True)
class TokenizeConfig:
    """How a corpus is tokenized.

    `num_quantizers`: codebooks to keep (None: all). `format` and `shard_size` (recordings) of the
    output. `rows` and `frames`: recordings encoded at once and frames of each per step (None: what
    `benchmarks/tokenize_corpus.py` found best for the device, see `PACKING`). `workers`:
    processes that read audio ahead. `shard`: (i, n), counted from 0, takes every n-th shard only,
    for several machines on one output. `max_failures`: stop with an error beyond so many (None:
    never). `retry_failed`: make shards with failures again. `verify_content`: tell whether a
    recording was replaced by its content, not by its size and time of change alone. `overwrite`:
    replace tokens of other recordings.
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
    verify_content: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        for name in ("shard_size", "rows", "frames"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if self.max_failures is not None and self.max_failures < 0:
            raise ValueError(f"max_failures must not be negative, got {self.max_failures}")
        if self.format not in FORMATS:
            raise ValueError(f"no format {self.format!r}: there are {', '.join(FORMATS)}")
        index, count = self.shard
        if not 0 <= index < count:
            raise ValueError(f"shard must be i of n with 0 <= i < n, got {index} of {count}")

    @property
    def encoding(self) -> dict[str, Any]:
        """The settings of `encode_shards`."""
        names = ("num_quantizers", "rows", "frames", "workers", "max_failures")
        return {name: value for name, value in asdict(self).items() if name in names}


def tokenize(
    tokenizer: CausalAudioTokenizer,
    inputs: Sequence[str | Path],
    out: str | Path,
    config: TokenizeConfig | None = None,
    *,
    report: Callable[[TokenizeSummary], None] = lambda summary: None,
) -> TokenizeSummary:
    """Encode the recordings of `inputs` (see `read_inputs`) into shards in `out`, a folder or URL.

    What is done already is kept: a run that was stopped goes on, losing at most the shards in
    work; recordings replaced since are encoded again. A recording that cannot be read is noted in
    failed.jsonl and the others go on. `report` is called after every recording.

    Raises ValueError where the folder is in use or holds other codes or recordings, where inputs
    are missing, and `TooManyFailures`.
    """
    config = config or TokenizeConfig()
    recordings = read_inputs(inputs, content=config.verify_content)
    return tokenize_recordings(tokenizer, recordings, out, config, report=report)


def tokenize_recordings(
    tokenizer: CausalAudioTokenizer,
    recordings: Sequence[Recording],
    out: str | Path,
    config: TokenizeConfig,
    *,
    report: Callable[[TokenizeSummary], None] = lambda summary: None,
) -> TokenizeSummary:
    """`tokenize` of recordings that are known already."""
    part = "" if config.shard[1] == 1 else f"part-{config.shard[0]}-of-{config.shard[1]}"
    with storage_at(out).lock(part):
        job = TokenizeJob(TokenFolder.create(out, settings(tokenizer, config)), recordings, config)
        summary = job.summary()
        report(summary)
        try:
            return encode_shards(
                tokenizer,
                job.folder,
                job.pending(),
                **config.encoding,
                summary=summary,
                report=report,
            )
        finally:
            job.folder.write_failures()


def settings(tokenizer: CausalAudioTokenizer, config: TokenizeConfig) -> Settings:
    """What the shards of a job have in common."""
    return Settings(code_space(tokenizer, config), config.format, config.shard_size)


def code_space(tokenizer: CausalAudioTokenizer, config: TokenizeConfig) -> CodeSpace:
    """What codes made with this tokenizer and these settings have in common."""
    parameter = next(tokenizer.encoder.parameters())
    return CodeSpace(
        model=tokenizer.model_id,
        weight_hash=tokenizer.weight_hash,
        dtype=str(parameter.dtype).removeprefix("torch."),
        num_quantizers=check_quantizers(config.num_quantizers, tokenizer.num_quantizers),
        codebook_size=tokenizer.codebook_size,
        sample_rate=tokenizer.sample_rate,
        channels=tokenizer.channels,
        frame_size=tokenizer.frame_size,
        version=__version__,
    )


class TokenizeJob:
    """Which shards of a folder are to be made of which recordings.

    Raises ValueError where the folder holds tokens of other recordings only.
    """

    def __init__(
        self, folder: TokenFolder, recordings: Sequence[Recording], config: TokenizeConfig
    ) -> None:
        self.folder, self.config = folder, config
        self._recordings = recordings
        self._ends = _ends(recordings, config)
        if not config.overwrite:
            self._check_same()
        if config.shard[0] == 0:
            folder.remove_from(len(self._ends))

    def pending(self) -> Iterator[tuple[int, Sequence[Recording]]]:
        """The shards of this machine that are not done, with their recordings."""
        for index, recordings in self._shards():
            if not self._is_done(index, recordings):
                yield index, recordings

    def summary(self) -> TokenizeSummary:
        """How much there is to do, and how much of it is done."""
        summary, waiting = TokenizeSummary(), []
        for index, recordings in self._shards():
            summary.total += len(recordings)
            if self._is_done(index, recordings):
                summary.kept += len(recordings)
                entry = self.folder.entry(index)
                summary.failed_before += len(entry.failures) if entry else 0
            else:
                waiting += recordings
        summary.expected = estimated_seconds(waiting)
        return summary

    def _shards(self) -> Iterator[tuple[int, Sequence[Recording]]]:
        first, step = self.config.shard
        for index in range(first, len(self._ends), step):
            start = self._ends[index - 1] if index else 0
            yield index, self._recordings[start : self._ends[index]]

    def _is_done(self, index: int, recordings: Sequence[Recording]) -> bool:
        entry = self.folder.entry(index)
        if entry is None or not entry.is_of(recordings):
            return False
        return not (self.config.retry_failed and entry.failures)

    def _check_same(self) -> None:
        known = {recording.id for recording in self._recordings}
        there = [entry.recordings for _, entry in self.folder.entries()]
        if there and not any(name in known for shard in there for name, _ in shard):
            raise ValueError(
                f"{self.folder.name} holds tokens of other recordings: choose another output "
                "folder, or overwrite them"
            )


def _ends(recordings: Sequence[Recording], config: TokenizeConfig) -> list[int]:
    """Where every shard ends: after `shard_size` recordings; in format "shar" those of a Shar
    folder stay the shards that they are.
    """
    count, size = len(recordings), config.shard_size
    parts = [recording.part for recording in recordings]
    if config.format == "shar" and all(part is not None for part in parts):
        return [i for i in range(1, count) if parts[i] != parts[i - 1]] + [count]
    return [min(count, (index + 1) * size) for index in range(math.ceil(count / size))]


__all__ = [
    "TokenizeConfig",
    "TokenizeJob",
    "TokenizeSummary",
    "TooManyFailures",
    "code_space",
    "settings",
    "tokenize",
    "tokenize_recordings",
]
