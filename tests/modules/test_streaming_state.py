import pytest
import torch

from catok.modules.streaming_state import StackState, StageState


def state(positions):
    empty = (torch.zeros(len(positions), 1, 4, 2),)
    return StackState((StageState(torch.tensor(positions), empty, empty),))


@pytest.mark.parametrize(
    ("rows", "left"),
    [
        (None, [0, 0, 0]),
        (1, [5, 0, 9]),
        ([], [5, 3, 9]),
        ([0, 2], [0, 3, 0]),
        (torch.tensor([True, False, False]), [0, 3, 9]),
    ],
)
def test_reset_starts_rows_anew_and_returns_the_state(rows, left):
    before = state([5, 3, 9])
    after = before.reset(rows)
    assert after is before
    assert after.stages[0].positions.tolist() == left


def test_reset_of_a_row_that_is_not_there():
    with pytest.raises(ValueError, match="has rows 0 to 1, not 7"):
        state([1, 1]).reset(7)
    with pytest.raises(ValueError, match="row mask"):
        state([1, 1]).reset(torch.tensor([True]))


def test_a_state_is_printed_without_its_keys():
    assert "positions=tensor([1, 2])" in repr(state([1, 2])) and len(repr(state([1, 2]))) < 200


def test_first_marks_where_a_row_begins():
    assert state([0, 3, 9]).stages[0].first().tolist() == [4, 1, 0]
    assert state([4, 9]).stages[0].first() is None
