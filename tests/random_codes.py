"""Random codes, as bytes of a `.cat` file, and compared."""

import io

import torch

from catok.codes import Encoded

HASH = "0123456789abcdef"


def make(
    lengths=(5000,), quantizers=4, codebook_size=1024, frame_size=1920, seed=0, **fields
) -> Encoded:
    sample_lengths = torch.tensor(lengths)
    frames = -(-max(lengths) // frame_size)
    generator = torch.Generator().manual_seed(seed)
    shape = (len(lengths), quantizers, frames)
    codes = torch.randint(0, codebook_size, shape, generator=generator)
    fields = {"sample_rate": 24000, "channels": 1, "model_id": "tiny", "weight_hash": HASH} | fields
    return Encoded(
        codes, sample_lengths, frame_size=frame_size, codebook_size=codebook_size, **fields
    )


def to_bytes(enc: Encoded) -> bytes:
    file = io.BytesIO()
    enc.save(file)
    return file.getvalue()


def same(a: Encoded, b: Encoded) -> bool:
    names = ["sample_rate", "channels", "frame_size", "codebook_size", "model_id", "weight_hash"]
    return (
        torch.equal(a.codes, b.codes)
        and torch.equal(a.sample_lengths, b.sample_lengths)
        and all(getattr(a, name) == getattr(b, name) for name in names)
    )
