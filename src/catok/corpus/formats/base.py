"""What a format of token shards has to offer."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from catok.corpus.token_row import CodeSpace, TokenRow

RESERVED = frozenset(
    (
        "id",
        "codes",
        "audio_codes",
        "num_samples",
        "num_frames",
        "num_codebooks",
        "sample_rate",
        "tokenizer",
    )
)


class ShardFormat(Protocol):
    """Shards of one kind. A shard is written whole: it is there with all of its rows, or not.

    `pattern`: of all files of a shard, with the shard's number `{index:06d}`.
    """

    name: str
    suffix: str
    pattern: str = "shard-{index:06d}.*"

    def file_name(self, index: int) -> str:
        """The file that a shard is named by, the last to be written."""
        return f"shard-{index:06d}{self.suffix}"

    def write(self, path: Path, rows: Sequence[TokenRow], space: CodeSpace) -> None:
        """Write a shard to `path`, which ends in `suffix`. Equal rows give equal bytes."""
        ...

    def read(self, path: Path, num_quantizers: int | None = None) -> Iterator[TokenRow]:
        """The rows of a shard in order, with the first codebooks only if so asked.

        Raises ValueError where it is damaged.
        """
        ...

    def space(self, path: Path) -> CodeSpace:
        """What the shard's codes were made with. Raises ValueError as `read` does."""
        ...


def check_columns(row: TokenRow) -> None:
    """Raise ValueError where a column has a name that the shard itself uses."""
    taken = sorted(RESERVED & set(row.columns))
    if taken:
        raise ValueError(f"{row.id} has columns named {taken}, which shards use: rename them")
