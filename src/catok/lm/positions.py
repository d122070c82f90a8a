"""Where a row stands along time: text and its speech side by side.

Rows usually count up. A small model then has to learn, from little data, which character is said
in which frame. Here a byte of text takes up 1 / `text_rate` of a row's place, about as much as it
takes to say, and the answer begins where what it answers began: frames beside the text that they
speak, text beside the recording that it writes down. Rotary attention finds the counterpart at a
nearly constant distance. Only positions change, the rows are those of the released layout.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from catok.lm.config import TokenLMConfig
from catok.lm.phrases import PHRASES

TEXT, ANSWER = PHRASES.index("\n- Text:\n"), PHRASES.index("assistant\n")


@dataclass(frozen=True)
class PositionState:
    """How far each row of a batch is: the last place `[B]`, and where what will be answered began.

    Both float32. The latter is NaN where nothing has begun that an answer could stand beside.
    """

    last: Tensor
    begun: Tensor

    def select(self, rows: Tensor) -> "PositionState":
        """Of some rows only; `rows` int64 `[A]`."""
        return replace(self, last=self.last[rows], begun=self.begun[rows])

    @staticmethod
    def join(states: Sequence["PositionState"]) -> "PositionState":
        """The rows of several in one."""
        last, begun = [state.last for state in states], [state.begun for state in states]
        return PositionState(torch.cat(last), torch.cat(begun))


def count_up(mask: Tensor, steps: int) -> Tensor:
    """The places `[B, steps]` int64 of the last rows of `mask` `[B, P + steps]`, which count the
    real ones before them: padding on the left changes nothing.
    """
    return (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -steps:]


def position_ids(
    ids: Tensor, mask: Tensor, config: TokenLMConfig, position_state: PositionState | None = None
) -> tuple[Tensor, PositionState]:
    """Positions `[B, T]` float32 of rows with the text ids `[B, T]` that follow `position_state`.

    `mask` `[B, T]` bool: real rows; padding takes up no place. Chunks give what the whole gives.
    """
    if position_state is None:
        nowhere = torch.full((len(ids),), float("nan"), dtype=torch.float32, device=ids.device)
        position_state = PositionState(torch.full_like(nowhere, -1.0), nowhere)
    phrases = config.first_phrase
    byte = (ids >= config.first_byte) & (ids < phrases) & mask
    steps = torch.where(byte, 1 / config.text_rate, mask.float())
    straight = position_state.last[:, None] + steps.cumsum(dim=1)
    begins = mask & ((ids == phrases + TEXT) | (ids == config.audio_start_token_id))
    answers = mask & (ids == phrases + ANSWER)
    shift, begun = torch.zeros_like(straight), position_state.begun
    number = answers.cumsum(dim=1)
    for turn in range(int(number.max()) + 1):  # mostly there is but one answer
        if turn:
            first = answers & (number == turn)
            here = torch.where(first, straight + shift, 0.0).sum(dim=1)
            back = torch.where(first.any(dim=1), here - (begun - 1), 0.0).nan_to_num(0.0)
            shift = shift - torch.where(number >= turn, back[:, None], 0.0)
        starts = begins & (number == turn)
        last = starts & (starts.flip(1).cumsum(dim=1).flip(1) == 1)
        place = torch.where(last, straight + shift, 0.0).sum(dim=1)
        begun = torch.where(starts.any(dim=1), place, begun)
    positions = straight + shift
    return positions, PositionState(positions[:, -1], begun)
