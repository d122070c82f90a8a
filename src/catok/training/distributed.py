"""Several processes, one run: who we are, sums and gathers over all, and how modules are wrapped.

A run under `torchrun` has one process per device. With one process every function here is the
identity, so that the loop reads the same either way.
"""

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from catok.modules.transformer import Block

TIMEOUT = timedelta(minutes=30)  # the first step of a big model may compile for long


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
        """Every process's rows `[n, ...]`, n alike, joined in the order of ranks."""
        if self.world == 1:
            return value
        parts = [torch.empty_like(value) for _ in range(self.world)]
        dist.all_gather(parts, value.contiguous())
        return torch.cat(parts)

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


def join() -> Group:
    """Join the run that torchrun started us in, or be alone. Processes on CUDA take the device of
    their local rank.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Group()
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    if not dist.is_initialized():
        backend = "nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=TIMEOUT)
    return Group(dist.get_rank(), world)


def leave(group: Group) -> None:
    """The run is over."""
    if group.world > 1:
        dist.destroy_process_group()


def replicate(module: nn.Module, group: Group, device: torch.device) -> nn.Module:
    """Every process holds all of `module`; backward averages the gradients (DDP)."""
    if group.world == 1 or not any(p.requires_grad for p in module.parameters()):
        return module
    ids = [device.index] if device.type == "cuda" else None
    # a stage may freeze parts, and a batch without text leaves the semantic head out
    return DistributedDataParallel(
        module, device_ids=ids, broadcast_buffers=False, find_unused_parameters=True
    )


def shard(generator: nn.Module, quantizer: nn.Module, group: Group, device: torch.device) -> None:
    """Spread the Transformers' weights over the processes, block by block (FSDP2), in place.

    The quantizer stays whole on every process, because its codes must agree to the bit: average
    its gradients with `average_gradients`.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (group.world,))
    for module in [m for m in generator.modules() if isinstance(m, Block)]:
        fully_shard(module, mesh=mesh)
    fully_shard(generator, mesh=mesh, ignored_params=set(quantizer.parameters()))


def average_gradients(module: nn.Module, group: Group) -> None:
    """Average the gradients of a module that nothing wraps."""
    for parameter in module.parameters():
        if parameter.grad is not None:
            parameter.grad.copy_(group.mean(parameter.grad))


def broadcast(module: nn.Module, group: Group) -> None:
    """Give every process the first one's weights."""
    if group.world > 1:
        for tensor in (*module.parameters(), *module.buffers()):
            dist.broadcast(tensor.data, src=0)


def collect(value: Any) -> Any:
    """A sharded tensor as a whole one; anything else as it is."""
    return value.full_tensor() if hasattr(value, "full_tensor") else value
