import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.parametrizations import weight_norm

from catok.modules.pointwise import Pointwise
from catok.modules.residual_quantizer import ResidualQuantizer, ResidualQuantizerConfig

CONFIG = ResidualQuantizerConfig(
    input_dim=12, inner_dim=10, num_quantizers=5, codebook_size=16, codebook_dim=4
)


def quantizer(kind="rlfq", seed=0):
    torch.manual_seed(seed)
    return ResidualQuantizer(ResidualQuantizerConfig(**{**vars(CONFIG), "kind": kind}))


@pytest.mark.parametrize("kind", ["rlfq", "rvq"])
@settings(deadline=None)
@given(depth=st.integers(1, 5), frames=st.integers(1, 9))
def test_a_prefix_of_codebooks_gives_a_prefix_of_codes(kind, depth, frames):
    model = quantizer(kind)
    latents = torch.randn(2, 12, frames)
    codes = model.encode(latents)
    assert codes.shape == (2, 5, frames)
    assert torch.equal(model.encode(latents, depth), codes[:, :depth])
    assert torch.equal(model(latents, depth).codes, codes[:, :depth])


@pytest.mark.parametrize("kind", ["rlfq", "rvq"])
def test_decoding_gives_the_latents_of_the_training_pass(kind):
    model = quantizer(kind)
    result = model(torch.randn(2, 12, 7), 3)
    assert torch.allclose(model.decode(result.codes), result.latents, atol=1e-5)


def by_optimizer(**options):
    """A change of weights by a step of AdamW."""

    def change(model, _):
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.3, **options)
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
        optimizer.step()

    return change


def each(write):
    """A change of weights by `write(parameter, new value)`."""

    def change(model, target):
        for parameter, value in zip(model.parameters(), target.parameters(), strict=True):
            write(parameter, value.detach().clone())

    return change


def by_numpy(parameter, value):
    parameter.detach().numpy()[...] = value.numpy()


def in_inference_mode(parameter, value):
    with torch.inference_mode():
        parameter.copy_(value)


CHANGES = {
    "fused": by_optimizer(fused=True),
    "foreach": by_optimizer(foreach=True),
    "load_state_dict": lambda model, target: model.load_state_dict(target.state_dict()),
    "data.copy_": each(lambda parameter, value: parameter.data.copy_(value)),
    "data": each(lambda parameter, value: setattr(parameter, "data", value)),
    "detach": each(lambda parameter, value: parameter.detach().copy_(value)),
    "numpy": each(by_numpy),
    "inference": each(in_inference_mode),
}


@pytest.mark.parametrize("kind", ["rlfq", "rvq"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_inference_follows_every_change_of_the_weights(kind, change):
    model, target = quantizer(kind), quantizer(kind, seed=1)
    latents = torch.randn(3, 12, 50)
    before = model.encode(latents)
    change(model, target)
    fresh = quantizer(kind, seed=2)
    fresh.load_state_dict(model.state_dict())
    codes = model.encode(latents)
    assert torch.equal(codes, fresh.encode(latents))
    assert torch.equal(model.decode(codes), fresh.decode(codes))
    assert not torch.equal(before, codes)


def test_weight_norm_is_that_of_pytorch():
    mine = Pointwise(6, 5)
    theirs = weight_norm(torch.nn.Conv1d(6, 5, kernel_size=1))
    assert list(mine.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(mine.state_dict())
    x = torch.randn(2, 6, 9)
    assert torch.equal(mine(x), theirs(x))
    matrix = torch.randn(5, 6)
    matrix[2] = 0
    mine.set_weight(matrix)
    assert torch.allclose(mine.weight.squeeze(-1), matrix, atol=1e-6)


@pytest.mark.slow
def test_export_traces_codes_and_latents():
    class Both(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.quantizer = quantizer()

        def forward(self, latents):
            codes = self.quantizer.encode(latents)
            return codes, self.quantizer.decode(codes)

    model, latents = Both(), torch.randn(1, 12, 4)
    shapes = ({2: torch.export.Dim("frames", min=2)},)
    traced = torch.export.export(model, (latents,), dynamic_shapes=shapes, strict=False).module()
    longer = torch.randn(1, 12, 9)
    for found, expected in zip(traced(longer), model(longer), strict=True):
        assert torch.allclose(found, expected, atol=1e-6)


def test_look_up_by_cosine_and_by_distance():
    """The defining difference: a long row in the same direction, a short row nearby."""
    for kind, expected in (("rlfq", 0), ("rvq", 1)):
        book = quantizer(kind).codebooks[0]
        with torch.no_grad():
            book.codebook.weight.fill_(-50.0)
            book.codebook.weight[0] = torch.tensor([9.0, 0, 0, 0])
            book.codebook.weight[1] = torch.tensor([0.9, 0.5, 0, 0])
        assert book.nearest_codes(torch.tensor([1.0, 0, 0, 0]).view(1, 4, 1)).item() == expected


def test_ties_go_to_the_lowest_code():
    book = quantizer().codebooks[0]
    with torch.no_grad():
        book.codebook.weight[:] = 1.0
    assert book.nearest_codes(torch.randn(1, 4, 6)).eq(0).all()


def test_dropped_codebooks_add_neither_latents_nor_loss():
    model, latents = quantizer(), torch.randn(3, 12, 6)
    depths = [1, 3, 5]
    mixed = model(latents, torch.tensor(depths))
    alone = [model(latents[i : i + 1], n) for i, n in enumerate(depths)]
    for row, single in enumerate(alone):
        assert torch.allclose(mixed.latents[row], single.latents[0], atol=1e-6)
    for name in ("codebook", "commitment"):
        mean = sum(float(single.losses[name].detach()) for single in alone) / 3
        assert float(mixed.losses[name].detach()) == pytest.approx(mean, rel=1e-5)
    assert mixed.codes.shape == (3, 5, 6), "masked codebooks still see their residual"


def test_frames_that_do_not_exist_bear_no_loss():
    model, latents = quantizer(), torch.randn(1, 12, 6)
    mask = torch.tensor([[True] * 4 + [False] * 2])
    whole, short = model(latents, mask=mask), model(latents[..., :4])
    assert torch.allclose(whole.losses["codebook"], short.losses["codebook"], rtol=1e-5)
    assert torch.equal(whole.codes[..., :4], short.codes)


def test_gradients_pass_straight_through_and_reach_the_codes():
    model = quantizer()
    latents = torch.randn(1, 12, 6, requires_grad=True)
    result = model(latents)
    result.latents.sum().backward(retain_graph=True)
    assert latents.grad is not None and latents.grad.abs().sum() > 0
    weight = model.codebooks[0].codebook.weight
    assert weight.grad is None, "codes learn from the codebook loss only"
    result.losses["codebook"].backward()
    assert weight.grad is not None and weight.grad.abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_cast_to_half_leaves_the_quantizer_alone(dtype):
    model = quantizer()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.nn.Sequential(model).to(dtype)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_autocast_changes_nothing():
    model, latents = quantizer(), torch.randn(1, 12, 6)
    expected = model(latents).latents
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model(latents).latents, expected)


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="codebook_size must be at least 1"):
        ResidualQuantizerConfig(codebook_size=0)
    with pytest.raises(ValueError, match="kind must be"):
        ResidualQuantizerConfig(kind="lfq")  # type: ignore[arg-type]
