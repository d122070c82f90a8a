"""Linear maps at inference on a CPU, by the faster of PyTorch's two libraries of matrix products.

`F.linear` multiplies float32 by MKL, which on AMD processors takes about twice the time of oneDNN.
What `product` gives is `F.linear` to within rounding.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_ONEDNN = torch.backends.mkldnn.is_available()  # part of PyTorch's builds for x86


def by_onednn(x: Tensor, weight: Tensor) -> bool:
    """Whether `product` calls oneDNN: for plain float32 on a CPU, without gradients."""
    return (
        _ONEDNN
        and x.dtype == weight.dtype == torch.float32
        and x.device.type == weight.device.type == "cpu"
        and type(x) is Tensor
        and type(weight) in (Tensor, nn.Parameter)
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`[..., D]` by weights `[N, D]`, plus a bias `[N]`, -> `[..., N]`."""
    dense = weight.is_contiguous() or weight.t().is_contiguous()
    if dense and by_onednn(x, weight):  # in other layouts oneDNN takes a hundred times as long
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return F.linear(x, weight, bias)


class Linear(nn.Linear):
    """`nn.Linear` by `product`."""

    def forward(self, input: Tensor) -> Tensor:
        """As `nn.Linear.forward`."""
        return product(input, self.weight, self.bias)
