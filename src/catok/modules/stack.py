"""Encoder and decoder alike: patches and Transformer stages in a row, run whole or step by step."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor, nn

from catok.modules.patch import Patch, PatchConfig, Unpatch
from catok.modules.streaming_state import StackState
from catok.modules.transformer import TransformerConfig, TransformerStage

StageConfig = PatchConfig | TransformerConfig


class CausalStack(nn.ModuleList):
    """A chain of patches and Transformer stages from `input_rate` steps per second on.

    `unfold` False folds time into channels at every patch (encoder), True unfolds (decoder). The
    members' indices are the stage numbers in the released tensor names.
    """

    def __init__(
        self,
        stages: Sequence[StageConfig],
        *,
        input_rate: float,
        unfold: bool,
        always_project: bool,
    ) -> None:
        super().__init__()
        self._unfold = unfold
        rate = float(input_rate)
        for stage in stages:
            if isinstance(stage, PatchConfig):
                rate = rate * stage.size if unfold else rate / stage.size
                self.append(Unpatch(stage) if unfold else Patch(stage))
            else:
                self.append(TransformerStage(stage, round(rate * stage.window), always_project))

    def _transformers(self) -> list[TransformerStage]:
        return [stage for stage in self if isinstance(stage, TransformerStage)]

    @property
    def dtype(self):
        """The weights' dtype; inputs are cast to it."""
        return next(self.parameters()).dtype

    def forward(self, x: Tensor) -> Tensor:
        """`[B, D_in, T_in]` -> `[B, D_out, T_out]`, the whole sequence at once."""
        x = x.to(self.dtype)
        for stage in self:
            x = stage(x)
        return x

    def step(
        self, x: Tensor, state: StackState, active: Tensor | None = None
    ) -> tuple[Tensor, StackState]:
        """The next chunk of every row, equal to the same span of `forward`; and the next state."""
        x = x.to(self.dtype)
        stages = []
        states = iter(state.stages)
        for stage in self:
            if isinstance(stage, TransformerStage):
                x, after = stage.step(x, next(states), active)
                stages.append(after)
            else:
                x = stage(x)
        return x, replace(state, stages=tuple(stages))

    def initial_state(self, batch_size: int) -> StackState:
        """A state for `batch_size` rows that have heard nothing."""
        stages = tuple(stage.initial_state(batch_size) for stage in self._transformers())
        return StackState(stages, of_decoder=self._unfold)
