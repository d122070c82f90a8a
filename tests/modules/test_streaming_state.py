import pytest
import torch

from catok.modules.streaming_state import StackState, StageState, append_recent


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
    with pytest.raises(ValueError, match="has 2 rows"):
        state([1, 1]).reset(7)
    with pytest.raises(ValueError, match="row mask"):
        state([1, 1]).reset(torch.tensor([True]))


def test_first_marks_where_a_row_begins():
    assert state([0, 3, 9]).stages[0].first().tolist() == [4, 1, 0]


def test_append_recent_keeps_the_newest_and_lets_idle_rows_be():
    past = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).view(2, 1, 2, 1)
    chunk = torch.tensor([[5.0], [6.0]]).view(2, 1, 1, 1)
    kept = append_recent(past, chunk, torch.tensor([True, False]), capacity=2)
    assert kept.flatten(1).tolist() == [[2, 5], [3, 4]]
    assert append_recent(past, chunk, None, capacity=0).shape[2] == 0
