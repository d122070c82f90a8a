from dataclasses import replace

import pytest
import torch
from torch import nn

from catok.training.engine.optim import (
    allocate_optimizer_state,
    build_optimizer,
    clip_gradients,
    load_optimizer_state,
    optimizer_class,
    optimizer_state,
    set_learning_rate,
)
from catok.training.engine.run_config import OptimizerConfig, ParameterGroup

from ..conftest import EVERYTHING, some_batch

CONFIG = replace(
    EVERYTHING,
    optimizer=replace(
        EVERYTHING.optimizer,
        weight_decay=0.1,
        groups=(
            ParameterGroup(r"codebook\.weight$", lr_scale=3.0, name="codebooks"),
            ParameterGroup("^semantic\\.adapter", lr_scale=0.5, weight_decay=0.2),
            ParameterGroup("^discriminators\\.", lr_scale=7.0),
        ),
    ),
)


def test_decay_and_rates_by_kind_of_parameter(learner):
    made = learner(CONFIG)
    names = {p: name for name, p in made.generator.named_parameters()}
    found = {}
    for group in made.optimizer.param_groups:
        for parameter in group["params"]:
            found[names[parameter]] = group["lr_scale"], group["weight_decay"]
    assert found.keys() == set(names.values())
    attention = next(n for n in found if n.startswith("codec.encoder.1.") and "attn" in n)
    expected = {
        "codec.quantizer.quantizers.0.codebook.weight": (3.0, 0.0),
        "codec.encoder.1.input_proj.weight": (1.0, 0.1),
        attention: (1.0, 0.1),
        "codec.encoder.1.transformer.layers.0.norm1.weight": (1.0, 0.0),
        "codec.encoder.1.transformer.layers.0.layer_scale_1.scale": (1.0, 0.0),
        "semantic.adapter.weight": (0.5, 0.2),
        "semantic.adapter.bias": (0.5, 0.2),
        "semantic.tags": (1.0, 0.1),
    }
    assert {name: found[name] for name in expected} == expected
    quantizer = {v[1] for n, v in found.items() if ".quantizer." in n}
    assert quantizer == {0.0}
    (discriminators,) = made.gan.optimizer.param_groups
    assert (discriminators["lr_scale"], discriminators["weight_decay"]) == (7.0, 0.0)


def test_a_step_sets_every_groups_rate(learner):
    made = learner(CONFIG)
    made.step([some_batch()], 3)
    assert all(
        group["lr"] == pytest.approx(3e-3 * group["lr_scale"])
        for group in made.optimizer.param_groups
    )


def parameters(*gradients):
    made = []
    for gradient in gradients:
        parameter = nn.Parameter(torch.zeros(2))
        parameter.grad = None if gradient is None else torch.tensor(gradient)
        made.append(parameter)
    return made


def test_the_common_norm_is_bounded():
    many = parameters([3.0, 0.0], None, [0.0, 4.0])
    assert float(clip_gradients(many, 1.0)) == pytest.approx(5)
    assert many[0].grad.tolist() == pytest.approx([0.6, 0], rel=1e-4)
    assert many[2].grad.tolist() == pytest.approx([0, 0.8], rel=1e-4)
    assert many[1].grad is None
    few = parameters([0.3, 0.4])
    assert float(clip_gradients(few, 1.0)) == pytest.approx(0.5)
    assert few[0].grad.tolist() == pytest.approx([0.3, 0.4])
    assert float(clip_gradients(parameters(None), 1.0)) == 0


def small_module():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))


def built(module, **settings):
    config = OptimizerConfig(**settings)
    return build_optimizer(module.named_parameters(), config, lambda name, p: p.dim() > 1)


def take_steps(module, optimizer, steps):
    for step in steps:
        optimizer.zero_grad()
        draw = torch.Generator().manual_seed(step)
        module(torch.randn(5, 3, generator=draw)).square().sum().backward()
        set_learning_rate(optimizer, 0.01)
        optimizer.step()


@pytest.mark.parametrize(
    ("name", "options"),
    [("adamw", {}), ("SGD", {"momentum": 0.9}), ("sgd", {}), ("RMSprop", {"centered": True}),
     ("nadam", {}), ("adagrad", {}), ("adafactor", {}), ("python=torch.optim:RAdam", {})],
)  # fmt: skip
def test_any_optimizer_goes_on_to_the_bit(name, options):
    settings = {"name": name, "options": options, "weight_decay": 0.01}
    whole = small_module()
    take_steps(whole, built(whole, **settings), range(5))
    first = small_module()
    optimizer = built(first, **settings)
    take_steps(first, optimizer, range(3))
    second = small_module()
    second.load_state_dict(first.state_dict())
    resumed = built(second, **settings)
    load_optimizer_state(second, resumed, optimizer_state(first, optimizer))
    take_steps(second, resumed, range(3, 5))
    for mine, expected in zip(second.parameters(), whole.parameters(), strict=True):
        assert torch.equal(mine, expected)


def test_the_state_of_another_optimizer_is_refused():
    module = small_module()
    optimizer = built(module, name="sgd", options={"momentum": 0.9})
    take_steps(module, optimizer, range(1))
    with pytest.raises(ValueError, match="another optimizer"):
        load_optimizer_state(module, built(module), optimizer_state(module, optimizer))


def test_state_is_allocated_for_what_was_saved():
    module = small_module()
    optimizer = built(module)
    allocate_optimizer_state(module, optimizer, {"optimizer.1.weight.step", "x"}, "optimizer")
    (values,) = optimizer.state.values()
    assert values["exp_avg"].shape == (2, 4) and not values["exp_avg"].any()
    assert float(values["step"]) == 0


def test_mistakes_say_what_to_do():
    module = small_module()
    with pytest.raises(ValueError, match="no optimizer called 'adamwx'.*adamw.*python=module"):
        built(module, name="adamwx")
    with pytest.raises(ValueError, match="no optimizer called 'lbfgs'"):
        optimizer_class("lbfgs")
    with pytest.raises(ValueError, match="cannot be built with.*colour"):
        built(module, options={"colour": 1})
    with pytest.raises(ValueError, match="has no weight decay"):
        built(module, name="rprop")
    with pytest.raises(ValueError, match="no regular expression"):
        ParameterGroup("(")
    with pytest.raises(ValueError, match="cannot import"):
        built(module, name="python=nothing:There")


def test_a_group_that_matches_nothing_is_a_mistake(learner):
    lost = replace(CONFIG.optimizer, groups=(ParameterGroup("codebok"),))
    with pytest.raises(ValueError, match="'codebok'.*matches no parameter; names are such as"):
        learner(replace(CONFIG, optimizer=lost))
