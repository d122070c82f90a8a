"""Several processes, one run: who we are, sums and gathers over all, and how modules are wrapped.

A run under `torchrun` has one process per device. With one process every function here is the
identity, so that the loop reads the same either way.
"""

import inspect
import os
import warnings
from collections.abc import Collection, Iterable, Sequence
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
BUCKET = 2**25  # numbers per message: 128 MB in float32


@dataclass(frozen=True)
class Group:
    """The processes of a run: `rank` of `world_size`."""

    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process logs and saves."""
        return self.rank == 0

    def mean(self, value: Tensor) -> Tensor:
        """The mean of every process's tensor, on all of them."""
        return self.sum(value) / self.world_size

    def sum(self, value: Tensor) -> Tensor:
        """The sum of every process's tensor, on all of them; the input is left alone."""
        if self.world_size == 1:
            return value
        total = value.clone()
        dist.all_reduce(total)
        return total

    def gather(self, value: Tensor) -> Tensor:
        """Every process's rows `[n, ...]`, n may differ, joined in the order of ranks."""
        if self.world_size == 1:
            return value
        count = torch.tensor([len(value)], device=value.device)
        counts = [torch.empty_like(count) for _ in range(self.world_size)]
        dist.all_gather(counts, count)
        padded = value.new_zeros(max(map(int, counts)), *value.shape[1:])
        padded[: len(value)] = value
        parts = [torch.empty_like(padded) for _ in range(self.world_size)]
        dist.all_gather(parts, padded)
        return torch.cat([part[: int(n)] for part, n in zip(parts, counts, strict=True)])

    def sync_stop_and_save(self, stop: bool, save: bool, device: torch.device) -> tuple[bool, bool]:
        """Whether any process was asked to stop, and whether the first one's clock says save."""
        if self.world_size == 1:
            return stop, save
        flags = torch.tensor([float(stop), float(save and self.is_main)], device=device)
        stopping, saving = self.sum(flags).tolist()
        return stopping > 0, saving > 0

    def all_reduce_min(self, number: int, device: torch.device) -> int:
        """The smallest of every process's number, on all of them."""
        if self.world_size == 1:
            return number
        value = torch.tensor(number, device=device)
        dist.all_reduce(value, dist.ReduceOp.MIN)
        return int(value)

    def barrier(self) -> None:
        """Until every process has come this far."""
        if self.world_size > 1:
            dist.barrier()


def init_distributed(device: torch.device) -> tuple[Group, torch.device]:
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


def shutdown(group: Group) -> None:
    """The run is over."""
    if group.world_size > 1:
        dist.destroy_process_group()


def wrap_ddp(module: nn.Module, group: Group, device: torch.device) -> nn.Module:
    """Every process holds all of `module`; backward averages the gradients (DDP).

    Freeze beforehand what is to be frozen, and what no loss reaches: the others must all get
    gradients, because to look for those that do not would cost time in every step.
    """
    if group.world_size == 1 or not any(p.requires_grad for p in module.parameters()):
        return module
    ids = [device.index] if device.type == "cuda" and device.index is not None else None
    options: dict[str, Any] = {BUFFERS: False}
    return DistributedDataParallel(module, device_ids=ids, **options)


def apply_fsdp(
    module: nn.Module,
    group: Group,
    device: torch.device,
    *,
    whole: Collection[nn.Parameter] = (),
    forward_methods: Sequence[str] = (),
) -> None:
    """Shard the weights over the processes, layer by layer of all Transformers (FSDP2), in place.

    `whole`: parameters that stay whole on every process, for which nothing is exchanged: average
    their gradients with `average_gradients`. `forward_methods`: names of methods besides `forward`
    that need the weights. All processes must run `module`, or else they wait for each other.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    # our modules may return views: nobody writes to them
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view", UserWarning)
    mesh = init_device_mesh(device.type, (group.world_size,))
    for layer in [m for m in module.modules() if _is_layer(m)]:
        fully_shard(layer, mesh=mesh)
    fully_shard(module, mesh=mesh, ignored_params=set(whole))
    for name in forward_methods:
        register_fsdp_forward_method(module, name)


def _is_layer(module: nn.Module) -> bool:
    """A block of ours, or a layer of a language model (of class Qwen2DecoderLayer and the like)."""
    return isinstance(module, Block) or type(module).__name__.endswith("DecoderLayer")


def sync_gradients_if(module: nn.Module, last: bool) -> AbstractContextManager[object]:
    """`no_sync()` for all but the `last` micro-batch of a step, for DDP and FSDP2."""
    if isinstance(module, DistributedDataParallel):
        return nullcontext() if last else module.no_sync()
    if hasattr(module, "set_requires_gradient_sync"):
        module.set_requires_gradient_sync(last)  # type: ignore[operator]
    return nullcontext()


def reshard(module: nn.Module) -> None:
    """Free the weights that FSDP2 gathered for a forward pass without a backward pass."""
    if hasattr(module, "reshard"):
        module.reshard()  # type: ignore[operator]


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter], group: Group) -> None:
    """Give every process the mean gradient of parameters that nothing wraps.

    Which of them are reached may differ between steps, micro-batches and processes (PyTorch's DDP
    looks at the last micro-batch only): no gradient stands for zero, unless no process has one.
    """
    trained = [p for p in parameters if p.requires_grad]
    if group.world_size == 1 or not trained:
        return
    reached = torch.tensor([float(p.grad is not None) for p in trained])
    anywhere = group.sum(reached.to(trained[0].device)).tolist()
    bucket: list[Tensor] = []
    size = 0
    for parameter, count in zip(trained, anywhere, strict=True):
        if not count:
            continue
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        if bucket and size + parameter.numel() > BUCKET:
            _average(bucket, group)
            bucket, size = [], 0
        bucket.append(parameter.grad)
        size += parameter.numel()
    if bucket:
        _average(bucket, group)


def _average(gradients: list[Tensor], group: Group) -> None:
    mean = group.mean(torch.cat([gradient.flatten() for gradient in gradients]))
    parts = mean.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def broadcast(module: nn.Module, group: Group) -> None:
    """Give every process the first one's weights."""
    if group.world_size > 1:
        for tensor in (*module.parameters(), *module.buffers()):
            whole = tensor.detach().contiguous()
            dist.broadcast(whole, src=0)
            tensor.data.copy_(whole)


@torch.no_grad()
def full_state_dict(module: nn.Module) -> dict[str, Tensor]:
    """A copy of a module's state on the CPU, shards put together; all processes must call it."""
    state = module.state_dict().items()
    return {name: full_tensor(tensor).to("cpu", copy=True) for name, tensor in state}


def full_tensor(value: Any) -> Any:
    """`DTensor.full_tensor()` of a sharded tensor; anything else as it is."""
    return value.full_tensor() if hasattr(value, "full_tensor") else value
