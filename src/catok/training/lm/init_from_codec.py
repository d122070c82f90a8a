"""Tables and heads of codes that begin as the codec's own geometry.

A residual quantizer adds up one vector per codebook (`modules/residual_quantizer.py`). If the
language model's tables begin as these vectors, moved into its width by one linear map, the sum of a
frame's embeddings is the frame's latent but for a constant: what sounds alike begins alike, which a
small model on little data would not find out for 8 x 1024 unrelated rows. The same rows as the
heads' weights make a step towards one code a step towards all codes that sound like it. Without
that, a head first has to see every code many times, and learns late to listen to the text.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from catok.lm.model import TokenLM
from catok.tokenizer.tokenizer import CausalAudioTokenizer

How = Literal["principal", "random"]


@torch.no_grad()
def contributions(tok: CausalAudioTokenizer, num_quantizers: int) -> Tensor:
    """What each code adds to `tok.embed`'s latent: `[K, codebook_size, D]`, biases left out."""
    return tok.quantizer.code_vectors(num_quantizers)


@torch.no_grad()
def initialize_codes(
    model: TokenLM, tok: CausalAudioTokenizer, how: How, generator: torch.Generator
) -> Tensor:
    """Fill the model's tables and heads of codes; returns the map `[D, width]` from latents to
    embeddings.

    Each codebook's rows are centred, and all are scaled alike, so that their root mean square is
    the model's `initializer_range`. The heads get the same rows, each codebook's scaled to that by
    itself, because the later codebooks' share of a latent is small. Raises ValueError where the
    tokenizer has other codes.
    """
    config = model.config
    if tok.num_quantizers < config.n_vq or tok.codebook_size != config.audio_vocab_size:
        raise ValueError(
            f"the tokenizer has {tok.num_quantizers} codebooks of {tok.codebook_size} codes, the "
            f"model {config.n_vq} of {config.audio_vocab_size}: they do not speak of the same"
        )
    vectors = contributions(tok, config.n_vq).cpu()
    vectors = vectors - vectors.mean(dim=1, keepdim=True)
    matrix = projection(vectors.flatten(0, 1), config.width, how, generator)
    rows = vectors @ matrix  # [K, codes, width]
    share = _root_mean_square(rows, dim=None) / config.initializer_range
    shares = _root_mean_square(rows, dim=(1, 2)) / config.initializer_range
    for tables, filled in (
        ([table.get_parameter("weight") for table in model.embedding.tables], rows / share),
        ([head.get_parameter("linear.weight") for head in model.heads.channels], rows / shares),
    ):
        for weight, values in zip(tables[1:], filled, strict=False):  # the first is of text
            weight[: config.audio_vocab_size] = values.to(weight)
    return matrix / share


def _root_mean_square(rows: Tensor, dim: tuple[int, ...] | None) -> Tensor:
    return rows.square().mean(dim=dim, keepdim=dim is not None).sqrt().clamp(min=1e-12)


def projection(vectors: Tensor, width: int, how: How, generator: torch.Generator) -> Tensor:
    """A linear map `[D, width]` for vectors `[N, D]`.

    "principal": the first `width` principal directions of the vectors, turned at random, so that
    all coordinates share the load; it keeps all distances if the vectors span no more than `width`
    dimensions. "random": independent normal entries, which keeps distances roughly (Johnson and
    Lindenstrauss 1984).
    """
    if how == "random":
        return torch.randn(vectors.shape[1], width, generator=generator) / math.sqrt(width)
    _, directions = torch.linalg.eigh(vectors.t() @ vectors)  # in rising order
    principal = directions[:, -min(width, vectors.shape[1]) :]
    turned, _ = torch.linalg.qr(torch.randn(width, width, generator=generator))
    return principal @ turned[: principal.shape[1]]
