"""The first weights of a new codec, taken from data.

Random projections shrink a waveform in every stage and scramble it, and a young model spends most
of a small budget on undoing that. Here it begins as a linear transform codec instead: each stage
of the encoder keeps the principal components of what it is given, or random orthogonal directions,
the decoder's mirror stage is the transpose, and the codebooks are k-means centres of what is left
over for each of them.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from catok.modules.residual_quantizer import Codebook, ResidualQuantizer
from catok.modules.transformer import TransformerStage
from catok.tokenizer.model import CodecModel

Directions = Callable[[Tensor, int], Tensor]  # so many rows [count, D] for `[B, D, T]`
VECTORS = 50_000  # enough for the covariance of 1280 dimensions


@torch.no_grad()
def initialize_from_audio(
    codec: CodecModel,
    audio: Tensor,
    generator: torch.Generator,
    *,
    principal: bool = True,
    rounds: int = 5,
) -> None:
    """Set projections and codes of a mirrored codec by crops `[B, C, T]`, T whole frames.

    The Transformers' own weights stay as they are: with small layer scales they change little at
    first. `principal`: keep the principal components where a projection narrows, otherwise random
    directions. `rounds` of k-means per codebook. Raises ValueError where the decoder is not the
    mirror image of the encoder, or the audio is silent.
    """
    if not float(audio.std()) > 0:
        raise ValueError("cannot initialise from silence: check the training audio")
    pairs = list(zip(codec.encoder, reversed(list(codec.decoder)), strict=False))
    if len(codec.encoder) != len(codec.decoder) or not all(_mirrors(*pair) for pair in pairs):
        raise ValueError('the decoder does not mirror the encoder: set initialize = "random"')
    x = codec.interleave(audio)

    def directions(x: Tensor, count: int) -> Tensor:
        if principal:
            return _principal(x, count, generator)
        return nn.init.orthogonal_(torch.empty(count, x.shape[1], device=x.device))

    for analysis, synthesis in pairs:
        if isinstance(analysis, TransformerStage):
            x = _widen(analysis, synthesis, x, directions)
            x = _narrow(analysis, synthesis, x, directions)
        else:
            x = analysis(x)
    latents = codec.encoder(codec.interleave(audio)).float()
    if isinstance(codec.quantizer, ResidualQuantizer):
        initialize_quantizer(codec.quantizer, latents, generator, rounds=rounds)
    else:
        codec.quantizer.init_from_data(latents, generator)


@torch.no_grad()
def initialize_quantizer(
    quantizer: ResidualQuantizer, latents: Tensor, generator: torch.Generator, *, rounds: int = 5
) -> None:
    """Set a quantizer by latents `[B, input_dim, F]` of real audio.

    In and out projections: the principal components, at unit mean variance. Each codebook begins on
    components of its own, the largest first, from the top again when they are used up; its codes
    are k-means centres of its inputs.
    """
    config = quantizer.config
    basis = _principal(latents, config.inner_dim, generator)
    scale = _apply(basis, latents).std().clamp(min=1e-8)
    quantizer.input_proj.set_weight(basis / scale)
    quantizer.output_proj.set_weight(_inverse(basis) * scale)
    for module in (quantizer.input_proj, quantizer.output_proj):
        nn.init.zeros_(module.get_parameter("bias"))
    identity = torch.eye(config.inner_dim, device=latents.device)
    residual = quantizer.input_proj(latents)
    for index, book in enumerate(quantizer.codebooks):
        first = index * config.codebook_dim
        directions = identity[torch.arange(first, first + config.codebook_dim) % config.inner_dim]
        book.in_proj.set_weight(directions)
        book.out_proj.set_weight(directions.t())
        for module in (book.in_proj, book.out_proj):
            nn.init.zeros_(module.get_parameter("bias"))
        _k_means(book, book.in_proj(residual).transpose(1, 2).flatten(0, 1), generator, rounds)
        residual = residual - book(residual).contribution


def _mirrors(analysis: nn.Module, synthesis: nn.Module) -> bool:
    if not isinstance(analysis, TransformerStage):
        return not isinstance(synthesis, TransformerStage)
    return (
        isinstance(synthesis, TransformerStage)
        and analysis.config.input_dim == synthesis.config.output_dim
        and analysis.config.output_dim == synthesis.config.input_dim
        and analysis.config.width == synthesis.config.width
    )


def _widen(
    analysis: TransformerStage, synthesis: nn.Module, x: Tensor, directions: Directions
) -> Tensor:
    """Input projection: an isometry (or, into a narrower stage, chosen directions) and a gain
    that gives the residual stream unit variance, as its normalised branches have.
    """
    if not isinstance(analysis.input_proj, nn.Linear):
        return x
    if analysis.config.width < analysis.config.input_dim:
        weight = directions(x, analysis.config.width)
    else:
        weight = nn.init.orthogonal_(torch.empty_like(analysis.input_proj.weight))
    gain = 1 / _apply(weight, x).std().clamp(min=1e-8)
    analysis.input_proj.weight.copy_(weight * gain)
    assert isinstance(synthesis.output_proj, nn.Linear)
    synthesis.output_proj.weight.copy_(weight.t() / gain)
    return _apply(weight * gain, x)


def _narrow(
    analysis: TransformerStage, synthesis: nn.Module, x: Tensor, directions: Directions
) -> Tensor:
    """Output projection: the chosen directions."""
    if not isinstance(analysis.output_proj, nn.Linear):
        return x
    basis = directions(x, analysis.config.output_dim)
    analysis.output_proj.weight.copy_(basis)
    assert isinstance(synthesis.input_proj, nn.Linear)
    synthesis.input_proj.weight.copy_(_inverse(basis))
    return _apply(basis, x)


def _apply(matrix: Tensor, x: Tensor) -> Tensor:
    return torch.einsum("oi,bit->bot", matrix, x)


def _principal(x: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """The `count` directions `[count, D]` of most energy in `x` `[B, D, T]`, the largest first.

    Above D, random ones are added, orthogonal to each other among themselves.
    """
    vectors = x.transpose(1, 2).flatten(0, 1)
    chosen = torch.randperm(len(vectors), generator=generator)[:VECTORS].to(x.device)
    vectors = vectors[chosen].double()
    directions = torch.linalg.eigh(vectors.t() @ vectors).eigenvectors.flip(1).t().to(x.dtype)
    missing = count - len(directions)
    if missing <= 0:
        return directions[:count]
    more = nn.init.orthogonal_(torch.empty(missing, len(vectors[0]), device=x.device))
    return torch.cat([directions, more])


def _inverse(basis: Tensor) -> Tensor:
    """`[D, count]`: the way back from what `_principal` gave."""
    return basis.t() if basis.shape[0] <= basis.shape[1] else torch.linalg.pinv(basis)


def _k_means(book: Codebook, vectors: Tensor, generator: torch.Generator, rounds: int) -> None:
    """Lloyd's algorithm by the codebook's own look-up; empty clusters restart on random vectors."""
    rows = book.codebook.weight

    def drawn() -> Tensor:
        chosen = torch.randint(len(vectors), (len(rows),), generator=generator)
        noise = torch.randn(rows.shape, generator=generator).to(rows.device)
        return vectors[chosen.to(rows.device)] + 0.01 * vectors.std() * noise

    rows.copy_(drawn())
    for _ in range(rounds):
        codes = book.nearest_codes(vectors.t()[None])[0]
        count = torch.bincount(codes, minlength=len(rows))[:, None]
        total = torch.zeros_like(rows).index_add_(0, codes, vectors)
        rows.copy_(torch.where(count > 0, total / count.clamp(min=1), drawn()))
