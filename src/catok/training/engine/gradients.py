"""Averaging gradients over processes, where not every parameter gets one in every step.

With a random number of codebooks, and one task or the other in a micro-batch, it depends on the
step and the process which tables and heads are reached. PyTorch's DDP looks only at the last
micro-batch for that. Here the processes agree, after the last one, on who was reached anywhere.
"""

import torch
from torch import nn

from catok.training.engine.distributed import Group

BUCKET = 2**25  # numbers per message: 128 MB in float32


@torch.no_grad()
def share_gradients(module: nn.Module, group: Group) -> None:
    """Give every process the mean gradient; none stands for zero, unless no process has one."""
    if group.world == 1:
        return
    parameters = [p for p in module.parameters() if p.requires_grad]
    reached = torch.tensor([float(p.grad is not None) for p in parameters])
    anywhere = group.sum(reached.to(parameters[0].device)).tolist()
    bucket: list[nn.Parameter] = []
    size = 0
    for parameter, count in zip(parameters, anywhere, strict=True):
        if not count:
            continue
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        if bucket and size + parameter.numel() > BUCKET:
            _average(bucket, group)
            bucket, size = [], 0
        bucket.append(parameter)
        size += parameter.numel()
    if bucket:
        _average(bucket, group)


def _average(parameters: list[nn.Parameter], group: Group) -> None:
    gradients = [p.grad for p in parameters if p.grad is not None]
    mean = group.mean(torch.cat([gradient.flatten() for gradient in gradients]))
    parts = mean.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))
