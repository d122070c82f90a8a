"""Several processes, one run: who we are, sums and gathers over all, and how modules are wrapped.

A run under `torchrun` has one process per device. With one process every function here is the
identity, so that the loop reads the same either way.
"""

import inspect
import os
import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from catok.modules.transformer import Block

TIMEOUT = timedelta(minutes=30)  # the first step of a big model may compile for long
# DDP's name for sending buffers along in every step; ours are constants
BUFFERS = "broadcast_buffers"
if "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters:
    BUFFERS = "forward_sync_buffers"  # since torch 2.13, which warns of the other
FORWARD_METHODS = ("reconstruct", "read")  # of a generator, besides its forward pass


@dataclass(frozen=True)
class Group:
    """The processes of a run: `rank` of `world`."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this process logs and saves."""
        return self.rank == 0

    def mean(self, value: Tensor) -> Tensor:
        """The mean of every process's tensor, on all of them."""
        return self.sum(value) / self.world

    def sum(self, value: Tensor) -> Tensor:
        """The sum of every process's tensor, on all of them; the input is left alone."""
        if self.world == 1:
            return value
        total = value.clone()
        dist.all_reduce(total)
        return total

    def gather(self, value: Tensor) -> Tensor:
        """Every process's rows `[n, ...]`, n may differ, joined in the order of ranks."""
        if self.world == 1:
            return value
        own = torch.tensor([len(value)], device=value.device)
        counts = [torch.empty_like(own) for _ in range(self.world)]
        dist.all_gather(counts, own)
        padded = value.new_zeros(max(map(int, counts)), *value.shape[1:])
        padded[: len(value)] = value
        parts = [torch.empty_like(padded) for _ in range(self.world)]
        dist.all_gather(parts, padded)
        return torch.cat([part[: int(n)] for part, n in zip(parts, counts, strict=True)])

    def any_stop_first_save(
        self, stop: bool, save: bool, device: torch.device
    ) -> tuple[bool, bool]:
        """Whether any process was asked to stop, and whether the first one's clock says save."""
        if self.world == 1:
            return stop, save
        flags = torch.tensor([float(stop), float(save and self.first)], device=device)
        stopping, saving = self.sum(flags).tolist()
        return stopping > 0, saving > 0

    def least(self, number: int, device: torch.device) -> int:
        """The smallest of every process's number, on all of them."""
        if self.world == 1:
            return number
        value = torch.tensor(number, device=device)
        dist.all_reduce(value, dist.ReduceOp.MIN)
        return int(value)

    def wait(self) -> None:
        """Until every process has come this far."""
        if self.world > 1:
            dist.barrier()


def join(device: torch.device) -> tuple[Group, torch.device]:
    """Join the run that torchrun started us in, or be alone; returns who we are and our device.

    `device` is a kind of device: of several processes on CUDA each takes that of its local rank.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Group(), device
    backend = "gloo"
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl"  # each kind of tensor travels its own way
    if not dist.is_initialized():
        dist.init_process_group(backend, timeout=TIMEOUT)
    return Group(dist.get_rank(), world), device


def leave(group: Group) -> None:
    """The run is over."""
    if group.world > 1:
        dist.destroy_process_group()


def replicate(module: nn.Module, group: Group, device: torch.device) -> nn.Module:
    """Every process holds all of `module`; backward averages the gradients (DDP).

    Freeze beforehand what is to be frozen, and what no loss reaches: the others must all get
    gradients, because to look for those that do not would cost time in every step.
    """
    if group.world == 1 or not any(p.requires_grad for p in module.parameters()):
        return module
    ids = [device.index] if device.type == "cuda" and device.index is not None else None
    options: dict[str, Any] = {BUFFERS: False}
    return DistributedDataParallel(module, device_ids=ids, **options)


def shard(generator: nn.Module, quantizer: nn.Module, group: Group, device: torch.device) -> None:
    """Spread the weights over the processes, layer by layer of all Transformers (FSDP2), in place.

    The quantizer stays whole on every process, because its codes must agree to the bit: average
    its gradients with `average_gradients`.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    # our modules may return views: nobody writes to them
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view", UserWarning)
    mesh = init_device_mesh(device.type, (group.world,))
    for module in [m for m in generator.modules() if _is_layer(m)]:
        fully_shard(module, mesh=mesh)
    fully_shard(generator, mesh=mesh, ignored_params=set(quantizer.parameters()))
    for name in FORWARD_METHODS:
        register_fsdp_forward_method(generator, name)


def _is_layer(module: nn.Module) -> bool:
    """A block of ours, or a layer of a language model (of class Qwen2DecoderLayer and the like)."""
    return isinstance(module, Block) or type(module).__name__.endswith("DecoderLayer")


def gather_gradients_at(module: nn.Module, last: bool) -> AbstractContextManager[object]:
    """Context of a forward and backward pass: processes exchange gradients if it is the `last`."""
    if isinstance(module, DistributedDataParallel):
        return nullcontext() if last else module.no_sync()
    if hasattr(module, "set_requires_gradient_sync"):
        module.set_requires_gradient_sync(last)  # type: ignore[operator]
    return nullcontext()


def put_away(generator: nn.Module) -> None:
    """After a pass without gradients: give back what sharded weights were put together for it."""
    if hasattr(generator, "reshard"):
        generator.reshard()  # type: ignore[operator]


def average_gradients(module: nn.Module, group: Group) -> None:
    """Average the gradients of a module that nothing wraps, all in one message."""
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    if gradients:
        mean = group.mean(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = mean.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


def broadcast(module: nn.Module, group: Group) -> None:
    """Give every process the first one's weights."""
    if group.world > 1:
        for tensor in (*module.parameters(), *module.buffers()):
            whole = tensor.detach().contiguous()
            dist.broadcast(whole, src=0)
            tensor.data.copy_(whole)


def collect(value: Any) -> Any:
    """A sharded tensor as a whole one; anything else as it is."""
    return value.full_tensor() if hasattr(value, "full_tensor") else value
