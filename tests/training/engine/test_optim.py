from dataclasses import replace

import pytest
import torch
from torch import nn

from catok.training.engine.optim import clip_gradients

from ..conftest import EVERYTHING, some_batch

CONFIG = replace(
    EVERYTHING,
    optimizer=replace(
        EVERYTHING.optimizer,
        weight_decay=0.1,
        codebook_rate=3.0,
        semantic_rate=0.5,
        discriminator_rate=7.0,
    ),
)


def test_decay_and_rates_by_kind_of_parameter(learner):
    made = learner(CONFIG)
    names = {p: name for name, p in made.generator.named_parameters()}
    found = {}
    for group in made.optimizer.param_groups:
        for parameter in group["params"]:
            found[names[parameter]] = group["rate"], group["weight_decay"]
    assert found.keys() == set(names.values())
    attention = next(n for n in found if n.startswith("codec.encoder.1.") and "attn" in n)
    expected = {
        "codec.quantizer.quantizers.0.codebook.weight": (3.0, 0.0),
        "codec.encoder.1.input_proj.weight": (1.0, 0.1),
        attention: (1.0, 0.1),
        "codec.encoder.1.transformer.layers.0.norm1.weight": (1.0, 0.0),
        "codec.encoder.1.transformer.layers.0.layer_scale_1.scale": (1.0, 0.0),
        "semantic.adapter.weight": (0.5, 0.1),
        "semantic.adapter.bias": (0.5, 0.0),
    }
    assert {name: found[name] for name in expected} == expected
    quantizer = {v[1] for n, v in found.items() if ".quantizer." in n}
    assert quantizer == {0.0}
    (judges,) = made.adversary.optimizer.param_groups
    assert (judges["rate"], judges["weight_decay"]) == (7.0, 0.0)


def test_a_step_sets_every_groups_rate(learner):
    made = learner(CONFIG)
    made.step([some_batch()], 0, 3)
    assert all(
        group["lr"] == pytest.approx(3e-3 * group["rate"]) for group in made.optimizer.param_groups
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
