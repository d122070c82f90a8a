"""The residual quantizer: a stack of small codebooks, each coding what the ones before left over.

Type "rlfq" (all released models) looks codes up by cosine in a low-dimensional factorised space
and passes the raw code row on; type "rvq" looks up by plain squared distance. Formulas:
`docs/spec/checkpoints.md` (c), paper section 2. All arithmetic is float32 under every autocast,
and the weights stay float32 when the model around them is cast to half precision.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from catok.modules.inference_quantizer import InferenceQuantizer
from catok.modules.pointwise import Pointwise, stack_weights
from catok.modules.quantizer import Quantized, Quantizer, register_quantizer
from catok.modules.residual_pass import StackedCodebooks, residual_pass


@dataclass(frozen=True)
class ResidualQuantizerConfig:
    """`num_quantizers` codebooks of `codebook_size` rows; latents of `input_dim` in and out."""

    input_dim: int = 768
    inner_dim: int = 512
    num_quantizers: int = 32
    codebook_size: int = 1024
    codebook_dim: int = 8
    kind: Literal["rlfq", "rvq"] = "rlfq"

    def __post_init__(self) -> None:
        for name in ("input_dim", "inner_dim", "num_quantizers", "codebook_size", "codebook_dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.kind not in ("rlfq", "rvq"):
            raise ValueError(f'quantizer kind must be "rlfq" or "rvq", got {self.kind!r}')


@dataclass(frozen=True)
class CodebookOutput:
    """What one codebook did with its input.

    `codes` `[B, F]`; `projected` `[B, d, F]`, the low-dimensional input; `chosen` `[B, d, F]`, the
    code rows; `contribution` `[B, inner_dim, F]`, added to the latents and taken off the residual.
    """

    codes: Tensor
    projected: Tensor
    chosen: Tensor
    contribution: Tensor


class Codebook(nn.Module):
    """One factorised codebook: project down, look up, project up."""

    def __init__(self, config: ResidualQuantizerConfig) -> None:
        super().__init__()
        self.cosine = config.kind == "rlfq"
        self.in_proj = Pointwise(config.inner_dim, config.codebook_dim)
        self.out_proj = Pointwise(config.codebook_dim, config.inner_dim)
        self.codebook = nn.Embedding(config.codebook_size, config.codebook_dim, dtype=torch.float32)

    @torch.no_grad()
    def nearest_codes(self, projected: Tensor) -> Tensor:
        """Nearest codes `[B, F]` of projected vectors `[B, d, F]`; ties go to the lowest code."""
        queries = projected.transpose(1, 2).flatten(0, 1)
        rows = self.codebook.weight
        if self.cosine:
            queries, rows = F.normalize(queries), F.normalize(rows)
        distance = (
            queries.pow(2).sum(1, keepdim=True)
            - 2 * queries @ rows.t()
            + rows.pow(2).sum(1, keepdim=True).t()
        )
        return distance.argmin(dim=1).view(projected.shape[0], -1)

    def forward(self, residual: Tensor) -> CodebookOutput:
        """Quantize `[B, inner_dim, F]`; gradients pass straight through to the input."""
        projected = self.in_proj(residual)
        codes = self.nearest_codes(projected)
        chosen = self.codebook(codes).transpose(1, 2)
        straight_through = projected + (chosen - projected).detach()
        return CodebookOutput(codes, projected, chosen, self.out_proj(straight_through))


def stack_codebooks(books: Sequence[Codebook]) -> StackedCodebooks:
    """The codebooks' weights as a few large tensors, with gradients where they are on."""
    return StackedCodebooks(
        *stack_weights([book.in_proj for book in books]),
        *stack_weights([book.out_proj for book in books]),
        torch.stack([book.codebook.weight for book in books]),
    )


class ResidualQuantizer(Quantizer):
    """`[B, input_dim, F]` latents <-> `[B, K, F]` codes; any prefix of the codebooks decodes."""

    config: ResidualQuantizerConfig

    def __init__(self, config: ResidualQuantizerConfig) -> None:
        super().__init__()
        self.config = config
        self.input_proj = Pointwise(config.input_dim, config.inner_dim)
        self.output_proj = Pointwise(config.inner_dim, config.input_dim)
        self.quantizers = nn.ModuleList(Codebook(config) for _ in range(config.num_quantizers))
        self._prepacked: InferenceQuantizer | None = None
        self._init_orthogonal_subspaces()

    @torch.no_grad()
    def _init_orthogonal_subspaces(self) -> None:
        """Let each codebook begin with a subspace of its own, read and written by one basis.

        With independent random projections a codebook's contribution does not resemble what it
        read, and the residual grows from codebook to codebook instead of shrinking. Here codebook i
        starts on rows i * d to (i + 1) * d of an orthogonal matrix, from the top again when those
        are used up: the later rounds refine what the earlier left over.
        """
        config = self.config
        square = torch.empty(config.inner_dim, config.inner_dim, dtype=torch.float32)
        basis = nn.init.orthogonal_(square)
        for index, book in enumerate(self.codebooks):
            first = index * config.codebook_dim
            rows = basis[torch.arange(first, first + config.codebook_dim) % config.inner_dim]
            book.in_proj.set_weight(rows)
            book.out_proj.set_weight(rows.t())
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()

    @property
    def codebooks(self) -> list[Codebook]:
        """The codebooks, coarse to fine."""
        return cast(list[Codebook], list(self.quantizers))

    @property
    def codebook_weights(self) -> list[Tensor]:
        """The code vectors `[N, d]` of every codebook."""
        return [book.codebook.weight for book in self.codebooks]

    def forward(
        self,
        latents: Tensor,
        num_quantizers: int | Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Quantized:
        """Quantize with gradients (straight-through) and losses, by `residual_pass`.

        Codebooks past a row's number are still looked up. Losses are means over frames and
        dimensions, averaged over rows and summed over codebooks (paper section 3). `reference` says
        the same plainly.
        """
        with torch.autocast(latents.device.type, enabled=False):
            batch, _, frames = latents.shape
            per_row = isinstance(num_quantizers, Tensor)
            books = self.codebooks if per_row else self.codebooks[:num_quantizers]
            stacked = stack_codebooks(books)
            inputs = self.input_proj(latents.float()).transpose(1, 2).flatten(0, 1)
            result = residual_pass(inputs, stacked, self.config.kind == "rlfq")

            real = latents.new_ones(batch, frames) if mask is None else mask.float()
            active = real[:, :, None].expand(-1, -1, len(books))  # [B, F, K]
            if per_row:
                order = torch.arange(len(books), device=latents.device)
                active = active * (order < num_quantizers[:, None, None])
            share = active / real.sum(1).clamp(min=1)[:, None, None] / batch
            weight, active = share.flatten(0, 1), active.flatten(0, 1)  # [B * F, K]
            active_rows = (result.straight_through * active[:, :, None]).flatten(1)
            total = active_rows @ stacked.write.transpose(1, 2).flatten(0, 1)
            total = total + active @ stacked.write_bias
            commitment = (result.chosen.detach() - result.projected).square().mean(2)
            codebook = (result.chosen - result.projected.detach()).square().mean(2)
            shape = (batch, frames, len(books))
            return Quantized(
                latents=self.output_proj(total.view(batch, frames, -1).transpose(1, 2)),
                codes=result.codes.view(shape).transpose(1, 2).contiguous(),
                projected=result.projected.detach().view(*shape, -1).permute(0, 2, 3, 1),
                losses={
                    "codebook": (codebook * weight).sum(),
                    "commitment": (commitment * weight).sum(),
                },
            )

    def reference(
        self,
        latents: Tensor,
        num_quantizers: int | Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Quantized:
        """What `forward` computes, codebook by codebook."""
        with torch.autocast(latents.device.type, enabled=False):
            latents = latents.float()
            batch, _, frames = latents.shape
            real = latents.new_ones(batch, 1, frames) if mask is None else mask.float()[:, None]
            share = real.sum(dim=(1, 2)).clamp(min=1)
            per_row = isinstance(num_quantizers, Tensor)
            depth = len(self.quantizers) if per_row or num_quantizers is None else num_quantizers
            residual = self.input_proj(latents)
            total = torch.zeros_like(residual)
            codebook_loss = commitment_loss = latents.new_zeros(())
            codes, projected = [], []
            for index, layer in enumerate(self.codebooks[:depth]):
                out = layer(residual)
                residual = residual - out.contribution
                active = (num_quantizers > index).float() if per_row else latents.new_ones(batch)
                total = total + out.contribution * real * active[:, None, None]
                weight = active[:, None, None] * real / share[:, None, None] / batch
                commitment = (out.chosen.detach() - out.projected).pow(2).mean(1, keepdim=True)
                codebook = (out.chosen - out.projected.detach()).pow(2).mean(1, keepdim=True)
                commitment_loss = commitment_loss + (commitment * weight).sum()
                codebook_loss = codebook_loss + (codebook * weight).sum()
                codes.append(out.codes)
                projected.append(out.projected.detach())
            return Quantized(
                latents=self.output_proj(total),
                codes=torch.stack(codes, dim=1),
                projected=torch.stack(projected, dim=1),
                losses={"codebook": codebook_loss, "commitment": commitment_loss},
            )

    def encode(self, latents: Tensor, num_quantizers: int | None = None) -> Tensor:
        with torch.no_grad(), torch.autocast(latents.device.type, enabled=False):
            return self.for_inference(num_quantizers).encode(latents.float())

    def decode(self, codes: Tensor) -> Tensor:
        with torch.no_grad(), torch.autocast(codes.device.type, enabled=False):
            return self.for_inference(codes.shape[1]).decode(codes)

    def prepack(self) -> None:
        self._prepacked = None
        self._prepacked = self.for_inference()

    @torch.no_grad()
    def for_inference(self, num_quantizers: int | None = None) -> InferenceQuantizer:
        """The first codebooks (None: all) for inference, made of the weights as they are now.

        Made anew in every call, unless the quantizer is prepacked: weights change in ways that
        leave no trace (fused optimizers, `.data`, inference mode, NumPy), and this takes half a
        millisecond.
        """
        if self._prepacked is not None:
            return self._prepacked.first(num_quantizers or self.config.num_quantizers)
        return InferenceQuantizer(
            cosine=self.config.kind == "rlfq",
            codebooks=stack_codebooks(self.codebooks[:num_quantizers]),
            read=self.input_proj.weight.squeeze(-1),
            read_bias=self.input_proj.bias,
            write=self.output_proj.weight.squeeze(-1),
            write_bias=self.output_proj.bias,
        )

    @torch.no_grad()
    def code_vectors(self, num_quantizers: int) -> Tensor:
        quantizer = self.for_inference(num_quantizers)
        books = quantizer.codebooks
        return books.rows @ books.write.transpose(1, 2) @ quantizer.write.t()


for kind in ("rlfq", "rvq"):
    register_quantizer(kind, ResidualQuantizerConfig, ResidualQuantizer)
