import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.modules.transformer import TransformerConfig, TransformerStage

CONFIG = TransformerConfig(
    input_dim=6, output_dim=10, width=16, layers=2, heads=2, feedforward=32, layer_scale=0.7
)
WINDOW = 7


@pytest.fixture(scope="module")
def stage():
    torch.manual_seed(0)
    return TransformerStage(CONFIG, WINDOW, always_project=False).eval().requires_grad_(False)


@settings(deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=6))
def test_steps_equal_the_whole(stage, chunks):
    torch.manual_seed(sum(chunks))
    x = torch.randn(3, 6, sum(chunks))
    state, parts = stage.initial_state(3), []
    for chunk in x.split(chunks, dim=2):
        part, state = stage.step(chunk, state)
        parts.append(part)
    assert torch.allclose(torch.cat(parts, dim=2), stage(x), atol=1e-5)
    assert state.positions.tolist() == [sum(chunks)] * 3
    assert all(k.shape[2] == min(sum(chunks), WINDOW - 1) for k in state.keys)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 7)), min_size=1, max_size=8),
    st.integers(0, 2**16),
)
def test_rows_pause_independently(stage, plan, seed):
    """Steps give n frames to the rows of a bit mask; each row says what its own stream would."""
    torch.manual_seed(seed)
    state = stage.initial_state(3)
    heard: list[list[torch.Tensor]] = [[], [], []]
    said: list[list[torch.Tensor]] = [[], [], []]
    for steps, mask in plan:
        active = torch.tensor([bool(mask >> row & 1) for row in range(3)])
        chunk = torch.randn(3, 6, steps)
        part, state = stage.step(chunk, state, active)
        for row in active.nonzero().flatten().tolist():
            heard[row].append(chunk[row])
            said[row].append(part[row])
    for row in range(3):
        if heard[row]:
            alone = stage(torch.cat(heard[row], dim=1)[None])[0]
            assert torch.allclose(torch.cat(said[row], dim=1), alone, atol=1e-5)


def test_a_step_leaves_the_old_state_usable(stage):
    x = torch.randn(1, 6, 20)
    _, state = stage.step(x[..., :9], stage.initial_state(1))
    one, _ = stage.step(x[..., 9:], state)
    two, _ = stage.step(x[..., 9:], state)
    assert torch.equal(one, two)


def test_projections_are_left_out_only_where_allowed():
    same = TransformerConfig(16, 16, width=16, layers=1, heads=2, feedforward=32)
    bare = TransformerStage(same, WINDOW, always_project=False)
    full = TransformerStage(same, WINDOW, always_project=True)
    extra = set(full.state_dict()) - set(bare.state_dict())
    assert extra == {"input_proj.weight", "output_proj.weight"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 18, "heads": 4}, "divide into"),
        ({"width": 6, "heads": 2}, "even size"),
        ({"layers": 0}, "layers must be at least 1"),
        ({"window": 0.0}, "window is a duration"),
    ],
)
def test_impossible_settings_are_refused(changes, message):
    settings = {"input_dim": 6, "output_dim": 6, "width": 16, "layers": 1, "heads": 2}
    with pytest.raises(ValueError, match=message):
        TransformerConfig(**{**settings, "feedforward": 32, **changes})
