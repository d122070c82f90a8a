"""AdamW over groups of parameters, each with its own weight decay and learning rate."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn.utils import get_total_norm

from catok.training.codec.config import OptimizerConfig
from catok.training.codec.discriminators.ensemble import Discriminators
from catok.training.engine.saved import check_saved


def generator_optimizer(generator: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """For codec and semantic head: matrices decay, codes and the language model have own rates.

    Frozen parameters are part of it; they get no gradients, so nothing moves them. `rate` of a
    group multiplies the scheduled learning rate.
    """
    groups: dict[tuple[str, bool], list[nn.Parameter]] = {}
    for name, parameter in generator.named_parameters():
        side = "semantic" if name.startswith("semantic.") else "codec"
        if ".quantizer." in name:
            side = "codes" if name.endswith("codebook.weight") else "quantizer"
        decays = parameter.dim() == 2 and side in ("codec", "semantic")
        groups.setdefault((side, decays), []).append(parameter)
    rates = {
        "codes": config.codebook_rate,
        "quantizer": config.quantizer_rate,
        "semantic": config.semantic_rate,
    }
    return _adamw(
        [
            {
                "params": parameters,
                "weight_decay": config.weight_decay if decays else 0.0,
                "rate": rates.get(side, 1.0),
            }
            for (side, decays), parameters in groups.items()
        ],
        config,
    )


def discriminator_optimizer(judges: Discriminators, config: OptimizerConfig) -> torch.optim.AdamW:
    """For the discriminators: no weight decay, `config.discriminator_rate`."""
    group = {"params": list(judges.parameters()), "weight_decay": 0.0}
    return _adamw([group | {"rate": config.discriminator_rate}], config)


def _adamw(groups: list[dict[str, Any]], config: OptimizerConfig) -> torch.optim.AdamW:
    # the fused kernel takes a third of the time, but does not know shards
    whole = not any(isinstance(p, DTensor) for group in groups for p in group["params"])
    fused = True if whole else None
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=fused)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its multiple of the scheduled learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate"]


@torch.no_grad()
def clip_gradients(parameters: list[nn.Parameter], largest: float) -> Tensor:
    """Scale all gradients so that their common norm is at most `largest`; returns the norm before.

    Works on whole and sharded parameters, mixed as they may be. Without gradients the norm is 0.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    whole = [g for g in gradients if not isinstance(g, DTensor)]
    sharded = [g for g in gradients if isinstance(g, DTensor)]
    norms = [get_total_norm(whole)] if whole else []
    if sharded:
        rest = get_total_norm(sharded)
        assert isinstance(rest, DTensor)
        norms.append(rest.full_tensor())
    if not norms:
        return torch.zeros(())
    norm = torch.linalg.vector_norm(torch.stack(norms))
    scale = (largest / (norm + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        own = gradient.to_local() if isinstance(gradient, DTensor) else gradient
        own.mul_(scale)
    return norm


def optimizer_state(module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """An optimizer's running averages by parameter name, so that shards can be told apart."""
    names: dict[Tensor, str] = {p: name for name, p in module.named_parameters()}
    return {names[parameter]: dict(values) for parameter, values in optimizer.state.items()}


def load_optimizer_state(
    module: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]
) -> None:
    """The inverse of `optimizer_state`. Parameters that had none begin anew.

    Raises ValueError where the averages are not those of the module's parameters: the fused kernel
    would write past their ends.
    """
    fused = bool(optimizer.defaults.get("fused"))  # counts steps where the parameters are
    parameters = dict(module.named_parameters())
    if not isinstance(state, Mapping) or not set(state) <= set(parameters):
        raise ValueError("it is of other networks, or damaged: so says its optimizer")
    for name, parameter in parameters.items():
        if name in state:
            own = {"step": torch.zeros(()), "exp_avg": parameter, "exp_avg_sq": parameter}
            check_saved(state[name], own, f"the optimizer ({name})")
            optimizer.state[parameter] = {
                key: value.to(parameter.device) if key != "step" or fused else value
                for key, value in state[name].items()
            }


@torch.no_grad()
def make_room(
    module: nn.Module, optimizer: torch.optim.Optimizer, saved: set[str], key: str
) -> None:
    """Running averages of 0 for the parameters that a sharded state has some of, under `key`."""
    for name, parameter in module.named_parameters():
        if f"{key}.{name}.step" in saved:
            averages = {key: torch.zeros_like(parameter) for key in ("exp_avg", "exp_avg_sq")}
            optimizer.state[parameter] = {"step": torch.zeros(()), **averages}
