"""What a folder of token shards was made of, so that a run can go on, and other codes are refused.

    tokens.json           code space, format and recordings per shard
    shard-000000.parquet  the rows
    ledger/000000.json    recordings of the shard with the versions of their files, failures, counts
    failed.jsonl          all failures, for people

A shard counts as done when its entry in the ledger is there, which is written after it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from catok.corpus.formats import FORMATS, ShardFormat
from catok.corpus.recording import Recording
from catok.corpus.storage import LocalStorage, Storage, storage_at
from catok.corpus.token_row import CodeSpace, TokenRow
from catok.io.config import read_config
from catok.io.json import parse_object
from catok.io.kinds import folder_kind
from catok.io.remote import is_url

SETTINGS = "tokens.json"
LEDGER = "ledger"
FAILED = "failed.jsonl"


@dataclass(frozen=True)
class Failure:
    """A recording that gave no codes, and why."""

    id: str
    audio: str
    reason: str


@dataclass(frozen=True)
class ShardEntry:
    """What the ledger says of a shard: its recordings as [id, version], failures and counts.

    `samples` per channel; `silent`: recordings below -60 dB; `clipped`: with samples at full scale.
    """

    recordings: tuple[tuple[str, str], ...]
    rows: int
    samples: int
    frames: int
    silent: int = 0
    clipped: int = 0
    failures: tuple[Failure, ...] = ()

    def is_of(self, recordings: Sequence[Recording]) -> bool:
        """Whether these are the recordings, and no file was replaced since.

        Versions are "SIZE-TIME", or "SIZE-TIME HASH" where contents were hashed; hashes are
        compared where the recordings have them.
        """
        return len(self.recordings) == len(recordings) and all(
            name == r.id and r.version in (version, version.partition(" ")[0])
            for (name, version), r in zip(self.recordings, recordings, strict=True)
        )


@dataclass(frozen=True)
class Settings:
    """What all shards of a folder have in common."""

    space: CodeSpace
    format: str
    shard_size: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


@dataclass
class TokenFolder:
    """A folder of token shards, here or by URL."""

    storage: Storage
    settings: Settings

    @classmethod
    def open(cls, path: str | Path) -> "TokenFolder":
        """An existing folder. Raises ValueError where it is none or is damaged."""
        storage = storage_at(path)
        settings = _settings(storage)
        if settings is None:
            kind = None if is_url(path) else folder_kind(Path(path))
            problem = f"it is {kind.text}" if kind else f"it has no {SETTINGS}"
            if not is_url(path) and not Path(path).is_dir():
                problem = "there is no folder of that name"
            raise ValueError(
                f"{path} is no folder of token shards, {problem}: "
                "name one that `catok tokenize` made"
            )
        return cls(storage, settings)

    @classmethod
    def create(cls, path: str | Path, settings: Settings) -> "TokenFolder":
        """A new folder, or one that holds shards of the same settings.

        Raises ValueError where it holds shards of others.
        """
        storage = storage_at(path)
        there = _settings(storage)
        if there is None:
            storage.write(SETTINGS, _json(settings.to_dict()))
            return cls(storage, settings)
        settings.space.check_same(there.space, str(path))
        if (there.format, there.shard_size) != (settings.format, settings.shard_size):
            raise ValueError(
                f"{path} holds {there.format} shards of {there.shard_size} recordings: choose "
                "another output folder, or the same format and shard size"
            )
        return cls(storage, there)

    @property
    def name(self) -> str:
        """Its path or URL."""
        return self.storage.name

    @property
    def format(self) -> ShardFormat:
        """The format of its shards."""
        return FORMATS[self.settings.format]

    def shard(self, index: int) -> Path:
        """The file of a shard. Raises ValueError where it is not on this machine."""
        if not isinstance(self.storage, LocalStorage):
            raise ValueError(
                f"{self.name} is not on this machine: copy it with catok tokens convert"
            )
        return self.storage.path / self.format.file_name(index)

    def size(self, index: int) -> int:
        """Bytes of a shard; formats may have more than one file for it."""
        return sum(self._files(index).values())

    def rows(self, index: int, num_quantizers: int | None = None) -> Iterator[TokenRow]:
        """The rows of a shard in order, with the first codebooks only if so asked.

        Raises ValueError where it is damaged.
        """
        names = [] if isinstance(self.storage, LocalStorage) else list(self._files(index))
        with self.storage.reading(names) as place:
            yield from self.format.read(place / self.format.file_name(index), num_quantizers)

    def write(self, index: int, rows: Sequence[TokenRow], entry: ShardEntry) -> None:
        """Write a shard and note that it is done."""
        self.forget(index)
        last = self.format.file_name(index)
        with self.storage.writing(last) as place:
            self.format.write(place / last, rows, self.settings.space)
        self.storage.write(_entry_name(index), _json(asdict(entry)))

    def remove_from(self, index: int) -> None:
        """Remove the shards from a number on: recordings that the input no longer has."""
        for number in self._numbers():
            if number >= index:
                self.forget(number)
                for name in self._files(number):
                    self.storage.remove(name)

    def entry(self, index: int) -> ShardEntry | None:
        """What the ledger says of a shard; None where it is not done."""
        name = _entry_name(index)
        content = self.storage.read(name)
        if content is None or not self.storage.exists(self.format.file_name(index)):
            return None
        where = f"{self.name}/{name}"
        return read_config(ShardEntry, parse_object(content, where), where)

    def forget(self, index: int) -> None:
        """Note that a shard has to be made again."""
        self.storage.remove(_entry_name(index))

    def entries(self) -> Iterator[tuple[int, ShardEntry]]:
        """All shards that are done, in order."""
        for index in self._numbers():
            entry = self.entry(index)
            if entry is not None:
                yield index, entry

    def write_failures(self) -> int:
        """Write all failures to failed.jsonl, or remove it where there are none; their number."""
        failures = [failure for _, entry in self.entries() for failure in entry.failures]
        if failures:
            lines = (json.dumps(asdict(f), ensure_ascii=False) + "\n" for f in failures)
            self.storage.write(FAILED, "".join(lines).encode("utf-8", "surrogateescape"))
        else:
            self.storage.remove(FAILED)
        return len(failures)

    def _numbers(self) -> list[int]:
        return [int(Path(name).stem) for name in self.storage.sizes(f"{LEDGER}/*.json")]

    def _files(self, index: int) -> dict[str, int]:
        return self.storage.sizes(self.format.pattern.format(index=index))


def _settings(storage: Storage) -> Settings | None:
    content, where = storage.read(SETTINGS), f"{storage.name}/{SETTINGS}"
    return None if content is None else read_config(Settings, parse_object(content, where), where)


def _entry_name(index: int) -> str:
    return f"{LEDGER}/{index:06d}.json"


def _json(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False, indent=1).encode("utf-8", "surrogateescape")
