"""Which linear layers bear fewer bits: measured on recordings, kind of layer by kind of layer.

One group of layers at a time (all `ffn.0` of a stage, say) is quantized as its product would be in
onnxruntime, and the noise that this adds to what its half of the model gives is measured. Noises of
groups add up nearly as if they were independent, so a plan for a wanted signal-to-noise ratio can
be made of them: the group that adds most goes up to more bits, until the sum is low enough.
"""

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from catok.export.folder import linear_names
from catok.export.linear import Precision, rounded
from catok.export.plan import Dtype, Plan
from catok.modules.stack import CausalStack
from catok.tokenizer.tokenizer import CausalAudioTokenizer

LADDERS: Mapping[Dtype, tuple[Precision, ...]] = {
    "int8": ("int8", "float32"),
    "int4": ("int4", "int8", "float32"),
}
"""From the fewest bits up."""


@dataclass(frozen=True)
class LayerGroup:
    """Linear layers of one kind in one stage: "encoder.1.ffn.0". `noise`: by precision, the power
    that it adds to the output of its half of the model, relative to the output's.
    """

    name: str
    layers: tuple[str, ...]
    noise: Mapping[Precision, float]


@torch.no_grad()
def measure(model: CausalAudioTokenizer, audio: Tensor, dtype: Dtype) -> list[LayerGroup]:
    """Every group of a whole model, on audio `[B, C, T]`: as a float32 model, on the CPU."""
    frames = audio.shape[2] // model.frame_size
    audio = audio[..., : frames * model.frame_size]
    if frames == 0 or dtype not in LADDERS:
        raise ValueError(
            f"sensitivity is measured of {list(LADDERS)} on at least one frame of audio "
            f"({model.frame_size} samples), got {dtype} and {list(audio.shape)}"
        )
    waveform = model.interleave(audio)
    latents = model.quantizer.decode(model.encode(audio).codes)
    groups = []
    for half, given in (("encoder", waveform), ("decoder", latents)):
        side: CausalStack = getattr(model, half)
        wanted = side(given)
        for name, layers in _groups(model, half).items():
            noise: dict[Precision, float] = {"float32": 0.0}
            for precision in LADDERS[dtype][:-1]:
                with quantized(model, dict.fromkeys(layers, precision)):
                    noise[precision] = _power(side(given) - wanted) / _power(wanted)
            groups.append(LayerGroup(name, tuple(layers), noise))
    return groups


def choose(
    groups: Sequence[LayerGroup],
    dtype: Dtype,
    least_snr: float,
    graphs: Collection[str] | None = None,
) -> Plan:
    """A plan whose noise, summed over groups, leaves each half `least_snr` dB."""
    exceptions: list[tuple[str, Precision]] = []
    for half in ("encoder", "decoder"):
        members = [group for group in groups if group.name.startswith(f"{half}.")]
        level = dict.fromkeys((group.name for group in members), 0)
        ladder = LADDERS[dtype]

        def noise(group: LayerGroup, level: Mapping[str, int] = level) -> float:
            return group.noise[LADDERS[dtype][level[group.name]]]

        while sum(noise(group) for group in members) > 10 ** (-least_snr / 10):
            level[max(members, key=noise).name] += 1
        for group in members:
            if level[group.name]:
                exceptions.extend((name, ladder[level[group.name]]) for name in group.layers)
    return Plan(dtype, graphs, tuple(exceptions))


def decibels(noise: float) -> float:
    """A relative noise power as a signal-to-noise ratio."""
    return -10 * math.log10(noise) if noise else math.inf


@contextmanager
def quantized(model: nn.Module, precisions: Mapping[str, Precision]) -> Iterator[None]:
    """Context in which linear layers compute as they would in a graph, in PyTorch."""
    with ExitStack() as stack:
        for name, precision in precisions.items():
            stack.enter_context(_quantized_layer(model.get_submodule(name), precision))
        yield


@contextmanager
def _quantized_layer(layer: nn.Module, precision: Precision) -> Iterator[None]:
    assert isinstance(layer, nn.Linear)
    exact = layer.weight.data
    layer.weight.data = rounded(exact, precision)
    hook = layer.register_forward_pre_hook(_round_input) if precision == "int8" else None
    try:
        yield
    finally:
        layer.weight.data = exact
        if hook is not None:
            hook.remove()


def _round_input(layer: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    return (round_rows(inputs[0]),)


def round_rows(x: Tensor) -> Tensor:
    """Activations `[..., D]` as 8-bit integers with a scale for every row hold them."""
    scale = x.abs().amax(-1, keepdim=True).clamp(min=1e-12) / 127
    return (x / scale).round() * scale


def _groups(model: CausalAudioTokenizer, half: str) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in linear_names(model, half):
        groups.setdefault(re.sub(r"\.transformer\.layers\.\d+", "", name), []).append(name)
    return groups


def _power(x: Tensor) -> float:
    return float(x.double().square().mean())
