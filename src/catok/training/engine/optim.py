"""Optimizers by name, over groups of parameters with learning rates and weight decay of their own.

State is kept by the parameters' names, so that it also fits sharded ones.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from catok.extras import PYTHON, import_object, parse_python
from catok.training.engine.run_config import OptimizerConfig
from catok.training.engine.saved import check_saved

UNSUPPORTED = ("LBFGS", "SparseAdam")  # of torch.optim: they need a closure, or sparse gradients

Decays = Callable[[str, nn.Parameter], bool]
NamedParameters = Iterable[tuple[str, nn.Parameter]]


def build_optimizer(
    parameters: NamedParameters, config: OptimizerConfig, decays: Decays
) -> Optimizer:
    """The optimizer that `config` names, for named parameters.

    `decays(name, parameter)`: whether `config.weight_decay` is for it, where no group says
    otherwise. Frozen parameters are part of it; they get no gradients, so nothing moves them.
    Every group of the optimizer has a key "lr_scale". Raises ValueError on an unknown name, and on
    options that the class does not take.
    """
    kind = optimizer_class(config.name)
    known = inspect.signature(kind).parameters
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    sharded = False
    for name, parameter in parameters:
        match = next((group for group in config.groups if group.matches(name)), None)
        decay = config.weight_decay if decays(name, parameter) else 0.0
        if match is not None and match.weight_decay is not None:
            decay = match.weight_decay
        lr_scale = 1.0 if match is None else match.lr_scale
        groups.setdefault((lr_scale, decay), []).append(parameter)
        sharded = sharded or isinstance(parameter, DTensor)
    options: dict[str, Any] = {"lr": config.learning_rate} | _as_tuples(config.options)
    if "betas" in known:
        options.setdefault("betas", config.betas)
    if "fused" in known and not sharded:  # it takes a third of the time, but knows no shards
        options.setdefault("fused", True)
    if "weight_decay" not in known and config.weight_decay:
        raise ValueError(f"{config.name} has no weight decay: set optimizer.weight_decay = 0")
    try:
        return kind(
            [
                {"params": members, "weight_decay": decay, "lr_scale": lr_scale}
                for (lr_scale, decay), members in groups.items()
            ],
            **options,
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"optimizer.name = {config.name!r} cannot be built with {options}: {error}"
        ) from error


def optimizer_class(name: str) -> type[Optimizer]:
    """The class that a recipe names. Raises ValueError where there is none."""
    if name.startswith(PYTHON):
        return import_object(parse_python(name)[0])
    classes = {
        key.lower(): kind
        for key, kind in vars(torch.optim).items()
        if inspect.isclass(kind) and issubclass(kind, Optimizer) and key not in UNSUPPORTED
    }
    classes.pop("optimizer", None)
    if name.lower() not in classes:
        raise ValueError(
            f"no optimizer called {name!r}; known are {sorted(classes)} and python=module:Class"
        )
    return classes[name.lower()]


def check_groups(config: OptimizerConfig, names: Iterable[str]) -> None:
    """Raise ValueError where a group's pattern is found in none of the parameters' `names`."""
    names = list(names)
    for group in config.groups:
        if not any(map(group.matches, names)):
            raise ValueError(
                f"optimizer.groups: the pattern {group.pattern!r} of group {group.name!r} matches "
                f"no parameter; names are such as {names[0]!r} and {names[-1]!r}"
            )


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Give every group its multiple of the scheduled learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_scale"]


@torch.no_grad()
def clip_gradients(parameters: Iterable[nn.Parameter], largest: float) -> Tensor:
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
        local = gradient.to_local() if isinstance(gradient, DTensor) else gradient
        local.mul_(scale)
    return norm


def optimizer_state(module: nn.Module, optimizer: Optimizer) -> dict[str, Any]:
    """An optimizer's state by parameter name, so that shards can be told apart."""
    names: dict[Tensor, str] = {p: name for name, p in module.named_parameters()}
    return {names[parameter]: dict(values) for parameter, values in optimizer.state.items()}


def load_optimizer_state(module: nn.Module, optimizer: Optimizer, state: dict[str, Any]) -> None:
    """The inverse of `optimizer_state`. Parameters that had none begin anew.

    Raises ValueError where the state is not that of the module's parameters: a fused kernel would
    write past the ends of tensors that are too small.
    """
    parameters = dict(module.named_parameters())
    if not isinstance(state, Mapping) or not set(state) <= set(parameters):
        raise ValueError("it is of other networks, or damaged: so says its optimizer")
    for name, saved in state.items():
        parameter = parameters[name]
        fresh = _fresh_state(optimizer, parameter)
        what = f"the optimizer ({name})"
        if not isinstance(saved, Mapping) or set(saved) != set(fresh):
            raise ValueError(
                f"it is of another optimizer or other networks, or damaged: {what} has other names"
            )
        tensors = {key: value for key, value in fresh.items() if isinstance(value, Tensor)}
        check_saved({key: saved[key] for key in tensors}, tensors, what)
        optimizer.state[parameter] = {
            key: saved[key].to(fresh[key].device) if key in tensors else saved[key] for key in fresh
        }


def allocate_optimizer_state(
    module: nn.Module, optimizer: Optimizer, saved: set[str], key: str
) -> None:
    """Allocate the state of the parameters that a sharded checkpoint, of `saved` names, has some
    of under `key`, so that it can be loaded in place.
    """
    for name, parameter in module.named_parameters():
        if any(entry.startswith(f"{key}.{name}.") for entry in saved):
            optimizer.state[parameter] = _fresh_state(optimizer, parameter)


def _fresh_state(optimizer: Optimizer, parameter: nn.Parameter) -> dict[str, Any]:
    """The state of a parameter after a step of no gradient: its names, shapes and devices."""
    settings = next(
        {key: value for key, value in group.items() if key != "params"}
        for group in optimizer.param_groups
        if any(parameter is member for member in group["params"])
    )
    twin = nn.Parameter(torch.zeros_like(parameter))
    twin.grad = torch.zeros_like(twin)
    # the class is asked, because every one keeps other things
    kind: Any = type(optimizer)
    probe = kind([{"params": [twin]} | settings])
    probe.step()
    return {
        key: torch.zeros_like(value) if isinstance(value, Tensor) else value
        for key, value in probe.state[twin].items()
    }


def _as_tuples(options: Mapping[str, Any]) -> dict[str, Any]:
    """TOML has lists only, and optimizers want pairs."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}


def scheduled_learning_rate(
    step: int, steps: int, config: OptimizerConfig, peak: float | None = None
) -> float:
    """The learning rate at `step`, from 0, of `steps`; `peak` replaces the configuration's own."""
    return (config.learning_rate if peak is None else peak) * warmup_cosine(
        step, steps, config.warmup_steps, config.min_lr_ratio, config.hold
    )


def warmup_cosine(step: int, steps: int, warmup: int, final: float, hold: float = 0.0) -> float:
    """Linear from 0 to 1 over `warmup` steps, 1 for the share `hold` of the rest, then a half
    cosine down to `final` after `steps`.
    """
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    falling = max(0.0, done - hold) / (1 - hold)
    share = 0.5 * (1 + math.cos(math.pi * min(1.0, falling)))
    return final + (1 - final) * share
