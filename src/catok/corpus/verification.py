"""Whether the codes of shards are those of their recordings, by encoding some again."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from catok.codes import Encoded
from catok.corpus.inputs import read_inputs
from catok.corpus.ledger import TokenFolder
from catok.corpus.packing import RowPacker
from catok.corpus.token_row import CodeSpace, TokenRow
from catok.tokenizer.tokenizer import CausalAudioTokenizer


@dataclass(frozen=True)
class Verified:
    """A recording encoded again: `agreeing`, the share of its codes that are the same.

    `error`: why it could not be compared.
    """

    id: str
    agreeing: float
    error: str | None = None


def verify(
    tokenizer: CausalAudioTokenizer,
    path: str | Path,
    inputs: Sequence[str | Path],
    *,
    samples: int = 20,
    seed: int = 0,
    report: Callable[[Verified], None] = lambda verified: None,
) -> list[Verified]:
    """Encode a random sample of a folder's recordings again, from the inputs that it was made of.

    Raises ValueError where the tokenizer is another, or nothing of the folder is in the inputs.
    """
    folder = TokenFolder.open(path)
    space = folder.settings.space
    check_tokenizer(tokenizer, space, path)
    rows = {row.id: row for row in sample_rows(folder, samples, seed)}
    recordings = [item for item in read_inputs(inputs) if item.id in rows]
    if not recordings:
        raise ValueError(f"none of {len(rows)} recordings of {path} is in the inputs")
    packer = RowPacker(tokenizer, 1, 256, space.num_quantizers)
    results = []
    kind = space.sample_rate, space.channels
    for item in packer.encode((recording.id, recording.blocks(*kind)) for recording in recordings):
        codes = rows[item.key].codes
        if item.error is None and item.codes.shape != codes.shape:
            lengths = f"{len(codes)} frames in the shard, {len(item.codes)} encoded again"
            verified = Verified(item.key, 0.0, lengths)
        elif item.error is not None:
            verified = Verified(item.key, 0.0, item.error)
        else:
            verified = Verified(item.key, float((item.codes == codes).mean()))
        report(verified)
        results.append(verified)
    return results


def sample_rows(folder: TokenFolder, count: int, seed: int = 0) -> Iterator[TokenRow]:
    """Rows of a folder, drawn at random, in order. Raises ValueError where it holds none."""
    sizes = [(index, entry.rows) for index, entry in folder.entries() if entry.rows]
    total = sum(size for _, size in sizes)
    if not total:
        raise ValueError(f"{folder.name} holds no rows")
    draw = np.random.default_rng(seed)
    chosen = set(draw.choice(total, min(count, total), replace=False).tolist())
    start = 0
    for index, size in sizes:
        if any(start <= place < start + size for place in chosen):
            for number, row in enumerate(folder.rows(index)):
                if start + number in chosen:
                    yield row
        start += size


def encoded_row(row: TokenRow, space: CodeSpace) -> Encoded:
    """A row as what `CausalAudioTokenizer.decode` takes."""
    codes = torch.from_numpy(row.codes.T.astype(np.int64))[None]
    return Encoded(
        codes,
        torch.tensor([row.samples]),
        sample_rate=space.sample_rate,
        channels=space.channels,
        frame_size=space.frame_size,
        codebook_size=space.codebook_size,
        weight_hash=space.weight_hash,
        model_id=space.model,
    )


def check_tokenizer(tokenizer: CausalAudioTokenizer, space: CodeSpace, path: str | Path) -> None:
    """Raise ValueError where codes of `space` are not this tokenizer's."""
    if tokenizer.weight_hash != space.weight_hash:
        raise ValueError(
            f"{path} was made by {space.model} (weights {space.weight_hash}), this is "
            f"{tokenizer.model_id} ({tokenizer.weight_hash}): name that model"
        )
