"""The models on this machine: those in the package, and those that were fetched from the hub."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from catok.cli.terminal import shown
from catok.io import kinds
from catok.io.hub import EMBEDDED, embedded_models
from catok.io.json import read_json

UNKNOWN = "unknown"


class Model(NamedTuple):
    """One model: `code_space` is the hash of the quantizer that its codes belong to."""

    name: str
    kind: str
    code_space: str
    bytes: int
    where: str

    def cells(self) -> list[str]:
        """As a row of a table."""
        return [self.name, self.kind, self.code_space, _size(self.bytes), self.where]


def embedded() -> list[Model]:
    """The models inside this package."""
    return [_model(name, EMBEDDED / name, "in the package") for name in embedded_models()]


def in_cache() -> Iterator[Model]:
    """Models of ours that the hub's cache holds; a repository of another kind is passed over."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repositories = scan_cache_dir().repos
    except (CacheNotFound, OSError, ValueError):
        return
    for repository in sorted(repositories, key=lambda repo: repo.repo_id):
        for revision in repository.revisions:
            try:
                kind = kinds.folder_kind(revision.snapshot_path)
            except ValueError:
                continue
            if kind in (kinds.TOKENIZER, *kinds.SPEECH_KINDS):
                where = f"hub's cache, {revision.commit_hash[:8]}"
                yield _model(repository.repo_id, revision.snapshot_path, where)


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Aligned lines."""
    cells = [heads, *([shown(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def _model(name: str, folder: Path, where: str) -> Model:
    kind = kinds.folder_kind(folder)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    text = UNKNOWN if kind is None else kind.text.removeprefix("an ").removeprefix("a ")
    return Model(name, text, _code_space(folder, kind), size, where)


def _code_space(folder: Path, kind: kinds.Kind | None) -> str:
    """Of a tokenizer its own, of a speech model that of its tokenizer."""
    try:
        if kind == kinds.TOKENIZER:
            from catok.cli.describe_model import describe_model

            facts = {fact.key: fact.value for fact in describe_model(str(folder))}
            return str(facts["weights"])
        return str(read_json(folder / "speech.json")["weight_hash"] or UNKNOWN)
    except (ValueError, OSError, KeyError):
        return UNKNOWN


def _size(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
