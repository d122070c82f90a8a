"""Linear maps at inference on a CPU, by the faster of PyTorch's two libraries of matrix products.

`F.linear` multiplies float32 by MKL, which on AMD processors takes about twice the time of oneDNN.
What `product` gives is `F.linear` to within rounding. `prepack` is faster still for a few rows at a
time, and in bfloat16.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_ONEDNN = torch.backends.mkldnn.is_available()  # part of PyTorch's builds for x86
_BFLOAT16 = _ONEDNN and torch.ops.mkldnn._is_mkldnn_bf16_supported()  # from AVX-512 on


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
        and not torch._C._len_torch_dispatch_stack()  # such as who counts operations
    )


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`[..., D]` by weights `[N, D]`, plus a bias `[N]`, -> `[..., N]`."""
    dense = weight.is_contiguous() or weight.t().is_contiguous()
    if dense and by_onednn(x, weight):  # in other layouts oneDNN takes a hundred times as long
        return torch.ops.mkldnn._linear_pointwise.default(x, weight, bias, "none", [], "")
    return F.linear(x, weight, bias)


class Linear(nn.Linear):
    """`nn.Linear` by `product`."""

    def forward(self, input: Tensor) -> Tensor:
        """As `nn.Linear.forward`."""
        return product(input, self.weight, self.bias)


class PrepackedLinear(nn.Linear):
    """A linear layer at inference whose weight lies in memory as oneDNN wants it.

    It has no parameter `weight`: that is worked out of the packed one where it is asked for.
    Saving, copying and pickling work; new weights cannot be loaded.
    """

    def __init__(self, layer: nn.Linear) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.bias = layer.bias
        self._packed = _pack(layer.weight.detach())

    @property
    def weight(self) -> Tensor:  # pyright: ignore[reportIncompatibleVariableOverride]
        """`[N, D]`, a copy."""
        return self._packed.to_dense()

    def forward(self, input: Tensor) -> Tensor:
        """As `nn.Linear.forward`, without gradients."""
        return torch.ops.mkldnn._linear_pointwise.default(
            input, self._packed, self.bias, "none", [], ""
        )

    def _apply(self, fn, recurse=True):
        weight = fn(self.weight)
        if weight.device.type != "cpu":
            raise ValueError(
                f"a prepacked model stays on the CPU: load it anew for {weight.device}"
            )
        self._packed = _pack(weight)
        return super()._apply(fn, recurse)

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        destination[prefix + "weight"] = self.weight
        super()._save_to_state_dict(destination, prefix, keep_vars)

    def _load_from_state_dict(self, *args, **kwargs):
        raise ValueError("a prepacked model takes no other weights: load it anew")

    def __getstate__(self):
        return {**super().__getstate__(), "_packed": self.weight}

    def __setstate__(self, state):
        super().__setstate__({**state, "_packed": _pack(state["_packed"])})


def prepack(module: nn.Module) -> None:
    """Replace all linear layers inside a module by `PrepackedLinear`, one after the other.

    Raises ValueError where weights are not on a CPU. Does nothing where PyTorch has no oneDNN, nor
    in bfloat16 on processors for which oneDNN has none.
    """
    if any(parameter.device.type != "cpu" for parameter in module.parameters()):
        raise ValueError("prepacking is for CPUs: load the model there")
    if not _ONEDNN:
        return
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if not isinstance(child, nn.Linear) or isinstance(child, PrepackedLinear):
                continue
            if _BFLOAT16 or child.weight.dtype != torch.bfloat16:
                setattr(parent, name, PrepackedLinear(child).train(child.training))


def _pack(weight: Tensor) -> Tensor:
    """For steps of a few rows, which is where the layout matters."""
    if weight.dtype == torch.bfloat16 and not _BFLOAT16:
        raise ValueError("a prepacked model stays float32 on this processor: load it anew")
    return torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), 8)
