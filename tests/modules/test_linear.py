import pytest
import torch
import torch.nn.functional as F

from catok.modules import linear
from catok.modules.linear import Linear, by_onednn, product


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
