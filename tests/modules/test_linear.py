import copy
import pickle

import pytest
import torch
import torch.nn.functional as F

from catok.modules import linear
from catok.modules.linear import Linear, PrepackedLinear, by_onednn, prepack, product


@pytest.mark.parametrize("shape", [(7,), (1, 1, 7), (2, 3, 7), (0, 7)])
@pytest.mark.parametrize("bias", [None, torch.randn(5)])
def test_products_are_those_of_pytorch(shape, bias):
    x, weight = torch.randn(shape), torch.randn(5, 7)
    with torch.no_grad():
        assert torch.allclose(product(x, weight, bias), F.linear(x, weight, bias), atol=1e-5)


def test_any_layout_of_memory():
    x, weight = torch.randn(7, 3, 2).permute(2, 1, 0), torch.randn(7, 5).t()
    rows = torch.randn(5, 3, 7)[:, 1]
    with torch.no_grad():
        for each in (weight, rows, rows[::2]):
            assert torch.allclose(product(x, each), F.linear(x, each), atol=1e-5)


def test_onednn_is_for_inference_in_float32():
    if not torch.backends.mkldnn.is_available():
        pytest.skip("PyTorch was built without oneDNN")
    x, layer = torch.randn(2, 7), Linear(7, 5)
    assert not by_onednn(x, layer.weight)
    with torch.no_grad():
        assert by_onednn(x, layer.weight)
        assert not by_onednn(x.bfloat16(), layer.weight.bfloat16())
        with torch.autocast("cpu", torch.bfloat16):
            assert layer(x).dtype == torch.bfloat16
    layer(x).sum().backward()
    assert layer.weight.grad is not None


def test_an_exported_program_is_pytorchs_own(monkeypatch):
    """No operation in it that only some builds have."""
    with torch.no_grad():
        program = torch.export.export(Linear(7, 5), (torch.randn(2, 7),), strict=False)
    assert not any("mkldnn" in str(node.target) for node in program.graph.nodes)
    monkeypatch.setattr(linear, "_ONEDNN", False)
    with torch.no_grad():
        assert not by_onednn(torch.randn(2, 7), torch.randn(5, 7))


needs_onednn = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="PyTorch was built without oneDNN"
)


def pair(dtype=torch.float32):
    torch.manual_seed(0)
    return torch.nn.Sequential(Linear(70, 33), torch.nn.GELU(), torch.nn.Linear(33, 5)).to(dtype)


@needs_onednn
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
@torch.no_grad()
def test_prepacked_layers_give_the_same(dtype, atol):
    plain, packed = pair(dtype), pair(dtype)
    prepack(packed)
    is_packed = dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    assert [isinstance(layer, PrepackedLinear) for layer in packed][::2] == [is_packed] * 2
    for rows in (1, 8, 100):
        x = torch.randn(2, rows, 70).to(dtype)
        assert torch.allclose(packed(x).float(), plain(x).float(), atol=atol)


@needs_onednn
@torch.no_grad()
def test_prepacked_layers_are_saved_copied_and_cast():
    plain, packed = pair(), pair()
    prepack(packed)
    x = torch.randn(3, 70)
    for twin in (packed, copy.deepcopy(packed), pickle.loads(pickle.dumps(packed))):
        assert all(torch.equal(twin.state_dict()[k], v) for k, v in plain.state_dict().items())
        assert torch.equal(twin(x), packed(x))
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        half = copy.deepcopy(packed).to(torch.bfloat16)
        assert half(x.bfloat16()).dtype == torch.bfloat16
    else:
        with pytest.raises(ValueError, match="stays float32"):
            copy.deepcopy(packed).to(torch.bfloat16)
    with pytest.raises(ValueError, match="takes no other weights"):
        packed.load_state_dict(plain.state_dict())
    with pytest.raises(ValueError, match="stays on the CPU"):
        packed.to("meta")
    with pytest.raises(ValueError, match="for CPUs"):
        prepack(pair().to("meta"))
