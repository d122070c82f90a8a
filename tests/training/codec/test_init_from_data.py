"""A new codec begins as a transform codec of its data: it reconstructs before it has learned."""

from itertools import pairwise

import pytest
import torch

from catok import CausalAudioTokenizer, TokenizerConfig
from catok.training.codec.init_from_data import initialize_from_audio
from tests.conftest import small_settings

TONES = torch.tensor([150.0, 310.0, 620.0, 1000.0])


def crops(rows, channels=1, seed=0):
    """Four tones of random level and phase in a little noise, `[rows, channels, T]`."""
    draw = torch.Generator().manual_seed(seed)
    time = torch.arange(7680 // channels) / (24_000 // channels)
    shape = (rows, channels, 4, 1)
    level, phase = 0.2 * torch.rand(shape, generator=draw), 7 * torch.rand(shape, generator=draw)
    hiss = 0.003 * torch.randn(rows, channels, len(time), generator=draw)
    return (level * torch.sin(2 * torch.pi * TONES[:, None] * time + phase)).sum(2) + hiss


def settings(channels=1, kind="rlfq", width=32, output=16, inner=16):
    """`small_settings` with branches as quiet as a real new model's."""
    made = small_settings(channels)
    stages = [stage for stage in made["encoder"] if "width" in stage]
    for index, stage in enumerate(stages):
        stage |= {"width": width, "layer_scale": 0.01, "output_dim": output}
        stage["input_dim"] = 2 * output if index else 240
    made["quantizer"] |= {"kind": kind, "input_dim": output, "inner_dim": inner}
    return made


def new(made):
    torch.manual_seed(0)
    return CausalAudioTokenizer(TokenizerConfig.from_dict(made))


def initialized(made, audio, **how):
    codec = new(made)
    initialize_from_audio(codec, audio, torch.Generator().manual_seed(0), **how)
    return codec


@torch.no_grad()
def snr(codec, audio, depth=None):
    noise = audio - codec(audio, depth).audio
    return float(10 * torch.log10(audio.pow(2).sum() / noise.pow(2).sum()))


@pytest.mark.parametrize("kind", ["rlfq", "rvq"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"width": 256},  # a stage wider than what it is given
        {"output": 48},  # ... that gives out more than its width
        {"inner": 24},  # a quantizer wider than the latents
    ],
)
def test_an_untrained_codec_reconstructs(kind, channels, sizes):
    made = settings(channels, kind, **sizes)
    unheard = crops(8, channels, seed=1)
    assert snr(new(made), unheard) < 0.5
    codec = initialized(made, crops(48, channels))
    depths = [snr(codec, unheard, depth) for depth in (1, 2, 8)]
    assert depths[0] < depths[1] < depths[2] and depths[2] > 7


@pytest.mark.parametrize("kind", ["rlfq", "rvq"])
def test_every_codebook_takes_something_off_the_residual(kind):
    audio = crops(48)
    codec = initialized(settings(kind=kind), audio)
    with torch.no_grad():
        residual = codec.quantizer.input_proj(codec.encoder(audio))
        energy = [float(residual.pow(2).mean())]
        for book in codec.quantizer.codebooks:
            residual = residual - book(residual).contribution
            energy.append(float(residual.pow(2).mean()))
    assert energy[0] == pytest.approx(1, rel=0.01)
    assert all(after < before for before, after in pairwise(energy))
    assert energy[-1] < 0.1
    used = [row.unique().numel() for row in codec.encode(audio).codes.unbind(1)]
    assert min(used) > 32


@pytest.mark.parametrize("make", [new, lambda made: initialized(made, crops(8))])
def test_no_two_weights_are_the_same_memory(make):
    codec = make(settings())
    parameters = list(codec.parameters())
    assert len({p.untyped_storage().data_ptr() for p in parameters}) == len(parameters)


def test_the_generator_decides_and_transformers_stay():
    made, audio = settings(), crops(8)
    untouched = dict(new(made).named_parameters())
    one, two = initialized(made, audio), initialized(made, audio)
    for name, value in one.named_parameters():
        assert torch.equal(value, two.get_parameter(name))
        if ".transformer." in name:
            assert torch.equal(value, untouched[name])


@pytest.mark.parametrize("change", ["width", "stages"])
def test_a_decoder_of_another_shape_is_refused(change):
    made = settings()
    decoder = list(TokenizerConfig.from_dict(made).to_dict()["decoder"])
    if change == "width":
        decoder[0]["width"] = 64
    else:
        decoder.insert(1, {**decoder[0], "input_dim": 32, "output_dim": 32})
    with pytest.raises(ValueError, match="does not mirror the encoder.*random"):
        initialized(made | {"decoder": decoder}, crops(4))


@pytest.mark.parametrize("output", [16, 48])
def test_orthogonal_directions_keep_what_random_ones_keep_and_fill_the_codebooks(output):
    audio = crops(24)
    codec = initialized(settings(kind="rvq", output=output), audio, principal=False)
    for analysis, synthesis in zip(codec.encoder, reversed(list(codec.decoder)), strict=True):
        if hasattr(analysis, "output_proj"):
            way_back = synthesis.input_proj.weight @ analysis.output_proj.weight
            assert torch.allclose(way_back @ way_back, way_back, atol=1e-4)  # a projection
    with torch.no_grad():
        codes = codec(audio).quantized.codes
    assert min(len(book.unique()) for book in codes.unbind(1)) > 8
    assert snr(initialized(settings(kind="rvq", output=16), audio), audio) > snr(codec, audio)


def test_silence_is_refused():
    with pytest.raises(ValueError, match="silence"):
        initialized(settings(), torch.zeros(2, 1, 7680))
