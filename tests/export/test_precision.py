"""Weights in 8 and 4 bits: graphs compute what is said of them, and layers are chosen by noise."""

import math

import numpy as np
import onnxruntime
import pytest
import torch

from catok import CausalAudioTokenizer, TokenizerConfig, save_audio
from catok.cli import main
from catok.export import Plan, choose, export_tokenizer, measure, read_description
from catok.export.graph import Graph
from catok.export.linear import linear, quantize_int4, quantize_int8, rounded
from catok.export.sensitivity import quantized, round_rows
from catok.export.weights import InlineWeights

FRAME = 1920


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.2


def snr(wanted, got):
    return 10 * math.log10(float(wanted.square().mean() / (wanted - got).square().mean()))


@pytest.fixture(scope="module")
def by_dtype(small_model, tmp_path_factory):
    """The model in 8 and in 4 bits, all linear layers alike."""
    found = {}
    for dtype in ("int8", "int4"):
        folder = tmp_path_factory.mktemp(dtype)
        export_tokenizer(small_model, folder, Plan(dtype=dtype))
        found[dtype] = CausalAudioTokenizer.from_pretrained(folder, backend="onnx", threads=1)
    return found


@pytest.mark.parametrize("width", [64, 40])
def test_rounding(width):
    weight = noise(16, width)
    quantized8, scale = quantize_int8(weight)
    assert (quantized8 * scale[:, None] - weight).abs().le(scale[:, None] / 2 + 1e-9).all()
    assert quantized8.abs().max() == 127
    integers, _ = quantize_int4(weight)
    assert integers.min() == -8 and integers.max() <= 7
    assert rounded(weight, "int4").shape == weight.shape
    assert 15 < snr(weight, rounded(weight, "int4")) < 30 < snr(weight, rounded(weight, "int8"))
    assert torch.equal(rounded(torch.zeros(2, width), "int4"), torch.zeros(2, width))


@pytest.mark.parametrize("precision", ["float32", "float16", "int8", "int4"])
def test_products(precision):
    """Loud and quiet rows, each as exact as the other."""
    weight, x = noise(48, 64), noise(6, 64, seed=1) * torch.logspace(-3, 3, 6)[:, None]
    graph = Graph("product", InlineWeights())
    y = linear(graph, graph.input("x", np.float32, ["rows", 64]), weight, "w", precision)
    graph.output("y", y, np.float32, ["rows", 48])
    session = onnxruntime.InferenceSession(graph.model({}).SerializeToString())
    got = torch.from_numpy(session.run(None, {"x": x.numpy()})[0])
    given = round_rows(x) if precision == "int8" else x
    for row, expected in zip(got, given @ rounded(weight, precision).t(), strict=True):
        assert snr(expected, row) > (35 if precision == "int4" else 60)  # 4 bits: rounded blocks


@pytest.mark.parametrize("dtype", ["int8", "int4"])
def test_models(small_model, by_dtype, dtype):
    """As far from the exact model as PyTorch says, whole and in steps."""
    tok, codes = by_dtype[dtype], small_model.encode(noise(1, 1, 40 * FRAME)).codes
    layers = [name for name, module in small_model.named_modules()
              if isinstance(module, torch.nn.Linear)]  # fmt: skip
    exact = small_model.decode(codes)
    with quantized(small_model, dict.fromkeys(layers, dtype)):
        expected = snr(exact, small_model.decode(codes))
    assert torch.equal(small_model.decode(codes), exact)  # the model is as it was
    state, sound = tok.decoder_state(), []
    for frame in codes.split(3, dim=2):
        part, state = tok.decode_step(frame, state)
        sound.append(part)
    for got in (tok.decode(codes), torch.cat(sound, dim=2)):
        assert snr(exact, got) == pytest.approx(expected, abs=2) and expected < 40


@pytest.mark.parametrize("dtype", ["int8", "int4"])
def test_rows_do_not_bear_on_each_other(by_dtype, dtype):
    """One scale for the whole batch would leave nothing of a quiet row beside a loud one."""
    tok = by_dtype[dtype]
    quiet, loud = noise(1, 1, 20 * FRAME) * 0.01, noise(1, 1, 20 * FRAME, seed=1) * 100
    alone, batch = tok.encode(quiet).codes, tok.encode(torch.cat((quiet, loud))).codes[:1]
    assert float((alone == batch).float().mean()) > 0.97


def test_layers_are_chosen_by_the_noise_they_add(small_model, tmp_path):
    audio = noise(1, 1, 20 * FRAME)
    groups = measure(small_model, audio, "int4")
    assert {group.name for group in groups} >= {"encoder.1.ffn.0", "decoder.6.self_attn.in_proj"}
    for group in groups:
        assert group.noise["int4"] > group.noise["int8"] > group.noise["float32"] == 0
    plans = [choose(groups, "int4", level) for level in (0.0, 25.0, 30.0, 300.0)]
    counts = [len(plan.exceptions) for plan in plans]
    assert counts == sorted(counts) and counts[0] < counts[2] < counts[3]
    assert {precision for _, precision in plans[3].exceptions} == {"float32"}
    export_tokenizer(small_model, tmp_path, plans[2])
    tok = CausalAudioTokenizer.from_pretrained(tmp_path, backend="onnx", threads=1)
    codes = small_model.encode(audio).codes
    assert snr(small_model.decode(codes), tok.decode(codes)) == pytest.approx(30, abs=6)
    with pytest.raises(ValueError, match="at least one frame"):
        measure(small_model, audio[..., :100], "int8")


def test_plans_without_measuring():
    config = TokenizerConfig.preset("24khz")
    plan = Plan.default(config, "int4")
    assert plan.precision("encoder.7.transformer.layers.31.ffn.0") == "int4"
    assert plan.precision("encoder.1.transformer.layers.11.ffn.0") == "int8"
    assert plan.precision("decoder.0.input_proj") == "float32"
    eight = Plan.default(config, "int8")
    assert eight.precision("encoder.7.transformer.layers.31.ffn.0") == "int8"
    assert eight.precision("encoder.7.output_proj") == "float32"
    assert Plan.default(config, "float16").exceptions == ()


def test_on_the_command_line(small_model, tmp_path, capsys):
    model, out, audio = (str(tmp_path / name) for name in ("model", "onnx", "a.wav"))
    small_model.save_pretrained(model)
    save_audio(audio, noise(1, 24_000), 24_000)
    assert main(["export", model, "-o", out, "--dtype", "int8"]) == 0
    assert read_description(out).precisions == {"float32": 10, "int8": 32}
    export = ["export", model, "-o", out, "--dtype", "int8", "--audio", audio]
    assert main([*export, "--snr", "200"]) == 0
    assert read_description(out).precisions == {"float32": 42}
    assert main(["info", out]) == 0
    assert "42 in float32" in capsys.readouterr().out
    assert main(["export", model, "-o", out, "--audio", audio]) == 2
    assert main(["export", model, "-o", out, "--dtype", "int8", "--snr", "30"]) == 2
    assert main(["export", model, "-o", out, "--dtype", "int8", "--audio", "gone.wav"]) == 1
