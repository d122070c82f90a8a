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
from catok.corpus.rows import CodeSpace, TokenRow
from catok.io.config import read_config
from catok.io.files import replacing
from catok.io.json import read_json
from catok.io.kinds import folder_kind

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
    """A folder of token shards."""

    path: Path
    settings: Settings

    @classmethod
    def open(cls, path: str | Path) -> "TokenFolder":
        """An existing folder. Raises ValueError where it is none or is damaged."""
        path = Path(path)
        if not (path / SETTINGS).exists():
            kind = folder_kind(path)
            found = f"it is {kind.text}" if kind else f"it has no {SETTINGS}"
            found = found if path.is_dir() else "there is no folder of that name"
            raise ValueError(
                f"{path} is no folder of token shards, {found}: name one that `catok tokenize` made"
            )
        return cls(path, read_config(Settings, read_json(path / SETTINGS), str(path / SETTINGS)))

    @classmethod
    def create(cls, path: str | Path, settings: Settings) -> "TokenFolder":
        """A new folder, or one that holds shards of the same settings.

        Raises ValueError where it holds shards of others.
        """
        path = Path(path)
        if (path / SETTINGS).exists():
            folder = cls.open(path)
            settings.space.check_same(folder.settings.space, str(path))
            here = (folder.settings.format, folder.settings.shard_size)
            if here != (settings.format, settings.shard_size):
                raise ValueError(
                    f"{path} holds {here[0]} shards of {here[1]} recordings: choose another output "
                    "folder, or the same format and shard size"
                )
            return folder
        path.mkdir(parents=True, exist_ok=True)
        _write_json(path / SETTINGS, settings.to_dict())
        return cls(path, settings)

    @property
    def format(self) -> ShardFormat:
        """The format of its shards."""
        return FORMATS[self.settings.format]

    def shard(self, index: int) -> Path:
        """The file of a shard."""
        return self.path / self.format.file_name(index)

    def files(self, index: int) -> list[Path]:
        """All files of a shard: formats may have more than one."""
        return sorted(self.path.glob(self.format.pattern.format(index=index)))

    def write(self, index: int, rows: Sequence[TokenRow], entry: ShardEntry) -> None:
        """Write a shard and note that it is done."""
        self.forget(index)
        self.format.write(self.shard(index), rows, self.settings.space)
        self.add(index, entry)

    def remove_from(self, index: int) -> None:
        """Remove the shards from a number on: recordings that the input no longer has."""
        for path in sorted((self.path / LEDGER).glob("*.json")):
            number = int(path.stem)
            if number >= index:
                self.forget(number)
                for file in self.files(number):
                    file.unlink()

    def entry(self, index: int) -> ShardEntry | None:
        """What the ledger says of a shard; None where it is not done."""
        path = self._entry_path(index)
        if not path.exists() or not self.shard(index).exists():
            return None
        return read_config(ShardEntry, read_json(path, max_bytes=1 << 30), str(path))

    def add(self, index: int, entry: ShardEntry) -> None:
        """Note that a shard is done."""
        self._entry_path(index).parent.mkdir(exist_ok=True)
        _write_json(self._entry_path(index), asdict(entry))

    def forget(self, index: int) -> None:
        """Note that a shard has to be made again."""
        self._entry_path(index).unlink(missing_ok=True)

    def entries(self) -> Iterator[tuple[int, ShardEntry]]:
        """All shards that are done, in order."""
        for path in sorted((self.path / LEDGER).glob("*.json")):
            index = int(path.stem)
            entry = self.entry(index)
            if entry is not None:
                yield index, entry

    def write_failures(self) -> int:
        """Write all failures to failed.jsonl, or remove it where there are none; their number."""
        failures = [failure for _, entry in self.entries() for failure in entry.failures]
        path = self.path / FAILED
        if failures:
            with replacing(path) as temporary:
                lines = (json.dumps(asdict(f), ensure_ascii=False) + "\n" for f in failures)
                Path(temporary).write_text("".join(lines), encoding="utf-8")
        else:
            path.unlink(missing_ok=True)
        return len(failures)

    def _entry_path(self, index: int) -> Path:
        return self.path / LEDGER / f"{index:06d}.json"


def _write_json(path: Path, data: Any) -> None:
    with replacing(path) as temporary:
        text = json.dumps(data, ensure_ascii=False, indent=1)
        Path(temporary).write_text(text, encoding="utf-8", errors="surrogateescape")
