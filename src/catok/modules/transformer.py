"""The causal Transformer stage, CAT's one building block.

Source: paper section 1, `docs/spec/checkpoints.md` (c).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from catok.modules.attention import Append, CausalAttention, WindowMasks
from catok.modules.cache_update import begin_update
from catok.modules.linear import Linear
from catok.modules.rope import rotations
from catok.modules.streaming_state import StageState

LONGEST_WINDOW = 86_400.0  # a day

Step = Callable[[Tensor, StageState, Tensor | None], tuple[Tensor, StageState]]


@dataclass(frozen=True)
class TransformerConfig:
    """One stage: projection in, `layers` pre-norm blocks of one width, projection out.

    `window` is how far back attention sees, in seconds.
    """

    input_dim: int
    output_dim: int
    width: int
    layers: int
    heads: int
    feedforward: int
    window: float = 10.0
    layer_scale: float = 0.01
    max_period: float = 10_000.0

    def __post_init__(self) -> None:
        for name in ("input_dim", "output_dim", "width", "layers", "heads", "feedforward"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise ValueError(
                f"width {self.width} must divide into {self.heads} heads of an even size"
            )
        if not 0 < self.window <= LONGEST_WINDOW:
            raise ValueError(
                f"window is a duration in seconds, above 0 and up to {LONGEST_WINDOW}, got "
                f"{self.window}"
            )
        if not math.isfinite(self.layer_scale):
            raise ValueError(f"layer_scale must be finite, got {self.layer_scale}")
        if not 1 <= self.max_period < math.inf:
            raise ValueError(f"max_period must be finite, from 1 up, got {self.max_period}")


class LayerScale(nn.Module):
    """A learned gain per channel on a residual branch."""

    def __init__(self, width: int, init: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((width,), init))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x


class Block(nn.Module):
    """Pre-norm attention and feed-forward: x + s1 * Attn(LN(x)); x + s2 * FFN(LN(x))."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.self_attn = CausalAttention(config.width, config.heads)
        self.norm1 = nn.LayerNorm(config.width)
        self.norm2 = nn.LayerNorm(config.width)
        self.ffn = nn.Sequential(
            Linear(config.width, config.feedforward, bias=False),
            nn.GELU(),
            Linear(config.feedforward, config.width, bias=False),
        )
        self.layer_scale_1 = LayerScale(config.width, config.layer_scale)
        self.layer_scale_2 = LayerScale(config.width, config.layer_scale)

    def forward(
        self, x: Tensor, rotation: Tensor, masks: WindowMasks, append: Append | None = None
    ) -> Tensor:
        """As `CausalAttention.forward`."""
        x = x + self.layer_scale_1(self.self_attn(self.norm1(x), rotation, masks, append))
        return x + self.layer_scale_2(self.ffn(self.norm2(x)))


class Transformer(nn.Module):
    """A run of blocks of one width."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Block(config) for _ in range(config.layers))


class TransformerStage(nn.Module):
    """`[B, input_dim, T]` -> `[B, output_dim, T]`, causal, seeing `window` frames.

    `always_project` False leaves out the projections where the dimensions agree (the 24 kHz
    release), True has them everywhere (the 48 kHz releases).
    Setting `checkpoint_activations` saves memory in training: backward computes what is inside the
    blocks again.
    """

    def __init__(self, config: TransformerConfig, window: int, always_project: bool) -> None:
        super().__init__()
        if window < 1:
            raise ValueError(
                f"a window of {config.window} s is shorter than one frame of its stage: widen it"
            )
        self.config = config
        self.window = window
        self.checkpoint_activations = False
        self._compiled: Step | None = None

        def projection(inside: int, outside: int) -> nn.Module:
            if inside == outside and not always_project:
                return nn.Identity()
            return Linear(inside, outside, bias=False)

        self.input_proj = projection(config.input_dim, config.width)
        self.transformer = Transformer(config)
        self.output_proj = projection(config.width, config.output_dim)

    def _rotation(self, positions: Tensor) -> Tensor:
        config = self.config
        return rotations(positions, config.width // config.heads, config.max_period)

    def forward(self, x: Tensor) -> Tensor:
        """The whole sequence at once, from frame 0."""
        rotation = self._rotation(torch.arange(x.shape[2], device=x.device))
        masks = WindowMasks(x.shape[2], 0, self.window, like=x)
        x = self.input_proj(x.transpose(1, 2))
        for block in self.transformer.layers:
            if self.checkpoint_activations and torch.is_grad_enabled():
                x = checkpoint(block, x, rotation, masks, use_reentrant=False)
            else:
                x = block(x, rotation, masks)
        return self.output_proj(x).transpose(1, 2)

    def compile_step(self, **options: Any) -> None:
        """Have `step` compiled by `torch.compile(**options)`, for states that begin from now on.

        Those are full from the start, of frames that no row owns: so every step has the same shape.
        The compiler counts what it compiles by code object, up to a limit of 8: every stage gets
        its own.
        """
        method = type(self)._step
        step = FunctionType(method.__code__.replace(), method.__globals__, "step")
        step.__defaults__ = method.__defaults__
        self._compiled = torch.compile(MethodType(step, self), dynamic=False, **options)

    def step(
        self, x: Tensor, state: StageState, active: Tensor | None = None
    ) -> tuple[Tensor, StageState]:
        """The next T frames of every row; rows not `active` `[B]` neither advance nor forget."""
        if self._compiled is not None and state.past == self.window - 1:
            return self._compiled(x, state, active)
        return self._step(x, state, active)

    def _step(
        self, x: Tensor, state: StageState, active: Tensor | None = None
    ) -> tuple[Tensor, StageState]:
        steps = x.shape[2]
        frames = state.positions[:, None] + torch.arange(steps, device=x.device)
        rotation = self._rotation(frames).unsqueeze(1)  # one angle per row for all heads
        masks = WindowMasks(steps, state.past, self.window, state.first(), like=x)
        update = begin_update(state, steps, self.window - 1, active)
        x = self.input_proj(x.transpose(1, 2))
        for block in self.transformer.layers:
            x = block(x, rotation, masks, update.append)
        return self.output_proj(x).transpose(1, 2), update.next_state()

    def initial_state(self, batch_size: int) -> StageState:
        """A state for `batch_size` rows that have heard nothing."""
        weight = next(self.parameters())
        heads = self.config.heads
        past = 0 if self._compiled is None else self.window - 1
        empty = weight.new_zeros(batch_size, heads, past, self.config.width // heads)
        return StageState(
            positions=torch.zeros(batch_size, dtype=torch.int64, device=weight.device),
            keys=(empty,) * self.config.layers,
            values=(empty,) * self.config.layers,
        )
