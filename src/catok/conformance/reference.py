"""The specification, written down in the plainest way and computed in float64.

`docs/spec/checkpoints.md` (c) formula by formula: one recording at a time, attention against all
keys under a mask, codebook after codebook. It shares no arithmetic with the package's modules, so
that vectors made with it test those as they test any port. Weights stay as they are stored; each is
widened when it is used.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from catok.modules.patch import PatchConfig
from catok.modules.residual_quantizer import ResidualQuantizerConfig
from catok.modules.transformer import TransformerConfig
from catok.tokenizer.config import TokenizerConfig

QUERIES = 512  # at once, so that long recordings fit into memory


@dataclass(frozen=True)
class Analysis:
    """Of one recording: `latents` `[D, F]` before the quantizer, `codes` `[K, F]` int64.

    `margins` `[K, F]`: by how much the chosen code is nearer than the second nearest, as a share of
    the two distances' sum. Rounding decides look-ups of a margin near 0. `stages`: what every stage
    of the encoder gives, `[D, T]`; the last are the latents.
    """

    latents: Tensor
    codes: Tensor
    margins: Tensor
    stages: tuple[Tensor, ...]


@dataclass(frozen=True)
class Synthesis:
    """Of some codes: `audio` `[C, F * frame_size]`; `stages`: what every stage of the decoder
    gives, `[D, T]`.
    """

    audio: Tensor
    stages: tuple[Tensor, ...]


class ReferenceTokenizer:
    """A tokenizer as its configuration and weights define it; `weights` by canonical name.

    Raises ValueError on a quantizer that the specification does not know.
    """

    def __init__(self, config: TokenizerConfig, weights: Mapping[str, Tensor]) -> None:
        quantizer = config.quantizer
        if not isinstance(quantizer, ResidualQuantizerConfig):
            raise ValueError(
                f'the reference knows the quantizers "rlfq" and "rvq", not {quantizer.kind!r}'
            )
        self.config, self._quantizer = config, quantizer
        self._weights = weights

    def _get(self, name: str) -> Tensor:
        return self._weights[name].double()

    @torch.no_grad()
    def encode(self, audio: Tensor) -> Analysis:
        """Audio `[C, T]`, T at least 1, completed to whole frames with zeros."""
        missing = -audio.shape[1] % self.config.frame_size
        whole = F.pad(audio.double(), (0, missing))
        stages = self._run("encoder", whole.T.reshape(1, -1))
        codes, margins = self._quantize(stages[-1])
        return Analysis(stages[-1], codes, margins, stages)

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Synthesis:
        """Codes `[K, F]`, K any number of the first codebooks."""
        total = torch.zeros(self._quantizer.inner_dim, codes.shape[1], dtype=torch.float64)
        for index, code in enumerate(codes):
            book = f"quantizer.quantizers.{index}"
            rows = self._get(f"{book}.codebook.weight")[code]
            total = total + self._pointwise(f"{book}.out_proj", rows.T)
        stages = self._run("decoder", self._pointwise("quantizer.output_proj", total))
        audio = stages[-1].reshape(-1, self.config.channels).T.contiguous()
        return Synthesis(audio, stages)

    def _run(self, side: Literal["encoder", "decoder"], x: Tensor) -> tuple[Tensor, ...]:
        """What each stage of one side gives, in their order; `x` `[D, T]` goes in."""
        encodes = side == "encoder"
        config = self.config
        rate = config.sample_rate * config.channels if encodes else config.frame_rate
        given = []
        for index, stage in enumerate(config.encoder if encodes else config.decoder):
            if isinstance(stage, PatchConfig):
                x = _patch(x, stage.size) if encodes else _unpatch(x, stage.size)
                rate = rate / stage.size if encodes else rate * stage.size
            else:
                x = self._transform(f"{side}.{index}", stage, round(rate * stage.window), x.T).T
            given.append(x)
        return tuple(given)

    def _transform(self, name: str, stage: TransformerConfig, window: int, x: Tensor) -> Tensor:
        """`[T, D]` -> `[T, D']`: pre-norm blocks between two optional projections."""
        frames = torch.arange(x.shape[0])
        turn = _rotation(frames, stage.width // stage.heads, stage.max_period)
        x = self._project(f"{name}.input_proj", x)
        for layer in range(stage.layers):
            block = f"{name}.transformer.layers.{layer}"
            normed = self._norm(f"{block}.norm1", x)
            rows = normed @ self._get(f"{block}.self_attn.in_proj.weight").T
            q, k, v = rows.view(len(x), 3, stage.heads, -1).permute(1, 2, 0, 3)
            q, k = _rotate(q, turn), _rotate(k, turn)
            mixed = _attend(q, k, v, window).transpose(0, 1).flatten(1)
            mixed = mixed @ self._get(f"{block}.self_attn.out_proj.weight").T
            x = x + self._get(f"{block}.layer_scale_1.scale") * mixed
            inner = self._norm(f"{block}.norm2", x) @ self._get(f"{block}.ffn.0.weight").T
            inner = inner * (1 + torch.erf(inner / math.sqrt(2))) / 2
            inner = inner @ self._get(f"{block}.ffn.2.weight").T
            x = x + self._get(f"{block}.layer_scale_2.scale") * inner
        return self._project(f"{name}.output_proj", x)

    def _quantize(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        residual = self._pointwise("quantizer.input_proj", latents)
        codes, margins = [], []
        for index in range(self._quantizer.num_quantizers):
            book = f"quantizer.quantizers.{index}"
            queries = self._pointwise(f"{book}.in_proj", residual).T
            rows = self._get(f"{book}.codebook.weight")
            keys = rows
            if self._quantizer.kind == "rlfq":
                queries, keys = F.normalize(queries), F.normalize(rows)
            distances = (queries[:, None] - keys).square().sum(2)
            code = distances.argmin(1)
            residual = residual - self._pointwise(f"{book}.out_proj", rows[code].T)
            codes.append(code)
            margins.append(_margin(distances))
        return torch.stack(codes), torch.stack(margins)

    def _pointwise(self, name: str, x: Tensor) -> Tensor:
        """A linear map of every frame under weight norm: `[D, F]` -> `[D', F]`."""
        length = self._get(f"{name}.parametrizations.weight.original0").flatten()
        direction = self._get(f"{name}.parametrizations.weight.original1").squeeze(2)
        weight = direction * (length / direction.norm(dim=1))[:, None]
        return weight @ x + self._get(f"{name}.bias")[:, None]

    def _project(self, name: str, x: Tensor) -> Tensor:
        return x @ self._get(f"{name}.weight").T if f"{name}.weight" in self._weights else x

    def _norm(self, name: str, x: Tensor) -> Tensor:
        centered = x - x.mean(1, keepdim=True)
        scaled = centered / (centered.square().mean(1, keepdim=True) + 1e-5).sqrt()
        return scaled * self._get(f"{name}.weight") + self._get(f"{name}.bias")


def _patch(x: Tensor, size: int) -> Tensor:
    """`[D, T]` -> `[D * size, T / size]`; new channel = old channel * size + place in patch."""
    return x.view(x.shape[0], -1, size).transpose(1, 2).reshape(x.shape[0] * size, -1)


def _unpatch(x: Tensor, size: int) -> Tensor:
    return x.reshape(-1, size, x.shape[1]).transpose(1, 2).reshape(x.shape[0] // size, -1)


def _rotation(frames: Tensor, head_dim: int, max_period: float) -> Tensor:
    """`[T, head_dim / 2]` complex: how far each pair has turned at each frame."""
    pairs = torch.arange(head_dim // 2, dtype=torch.float64)
    angles = frames[:, None] * max_period ** (-2 * pairs / head_dim)
    return torch.polar(torch.ones_like(angles), angles)


def _rotate(x: Tensor, turn: Tensor) -> Tensor:
    """`[H, T, D]`, pairs (2i, 2i + 1) turned."""
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * turn).flatten(-2)


def _attend(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    """`[H, T, D]` each: a query sees the keys j with 0 <= i - j < window."""
    keys = torch.arange(k.shape[1])
    mixed = []
    for queries in keys.split(QUERIES):
        distance = queries[:, None] - keys
        hidden = (distance < 0) | (distance >= window)
        scores = (q[:, queries] @ k.transpose(1, 2)) / math.sqrt(q.shape[-1])
        mixed.append(scores.masked_fill(hidden, -math.inf).softmax(-1) @ v)
    return torch.cat(mixed, dim=1)


def _margin(distances: Tensor) -> Tensor:
    """Of distances `[F, N]`: (second - first) / (second + first), from 0 to 1."""
    if distances.shape[1] == 1:
        return torch.ones(len(distances), dtype=torch.float64)
    first, second = distances.topk(2, dim=1, largest=False).values.unbind(1)
    return (second - first) / (second + first).clamp(min=1e-30)
