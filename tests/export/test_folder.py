"""Folders of graphs: what is in them, how they appear, and what is said of damaged ones."""

import json
import pickle
import subprocess
import sys

import onnx
import pytest
import torch

from catok import CausalAudioTokenizer
from catok.cli import main
from catok.export import OnnxRuntime, Plan, export_tokenizer, read_description
from catok.export import folder as folder_module


def load(folder, **options):
    return CausalAudioTokenizer.from_pretrained(folder, backend="onnx", threads=1, **options)


def test_what_is_in_it(exported, small_model):
    description = read_description(exported)
    assert description.weight_hash == small_model.weight_hash
    assert (description.model_id, description.dtype) == ("small", "float32")
    assert description.tokenizer == json.loads(json.dumps(small_model.config.to_dict()))
    assert set(description.graphs) == {"encode", "encode_step", "decode", "decode_step", "embed"}
    assert {path.name for path in exported.iterdir()} == {
        "onnx.json",
        *(f"{name}.onnx" for name in description.graphs),
    }
    for name, graph in description.graphs.items():
        model = onnx.load(exported / graph.file)
        onnx.checker.check_model(model)
        rings = [value for value in model.graph.input if value.name.startswith("past_key_values.")]
        assert len(rings) == 2 * len(graph.state) == (8 if name.endswith("_step") else 0)


def test_the_tokenizer_is_the_same_to_its_user(exported, small_model):
    tok = load(exported)
    for name in ("sample_rate", "channels", "frame_rate", "frame_size", "num_quantizers",
                 "codebook_size", "model_id", "weight_hash", "device"):  # fmt: skip
        assert getattr(tok, name) == getattr(small_model, name)
    audio = torch.zeros(1, 1, 5000)
    again = pickle.loads(pickle.dumps(tok))
    encoded = again.encode(audio)
    assert torch.equal(small_model.decode(encoded), small_model.decode(tok.encode(audio)))
    state = pickle.loads(pickle.dumps(tok.encoder_state(2)))
    assert tok.encode_step(torch.zeros(2, 1, 1920), state)[0].shape == (2, 8, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda tok: tok.encode(torch.zeros(1, 2, 100)), "1 channel"),
        (lambda tok: tok.encode(torch.full((1, 1, 9), float("nan"))), "NaN"),
        (lambda tok: tok.encode(torch.zeros(1, 1, 9), num_quantizers=9), "from 1 to 8"),
        (lambda tok: tok.encode(torch.zeros(1, 1, 9), torch.tensor([10])), "lengths must be"),
        (lambda tok: tok.decode(torch.full((1, 8, 3), 64)), "valid are 0 to 63"),
        (lambda tok: tok.decode(torch.zeros(1, 9, 3).long()), "the model has 8"),
        (lambda tok: tok.encode_step(torch.zeros(1, 1, 9), tok.encoder_state()), "whole frames"),
        (lambda tok: tok.encode_step(torch.zeros(1, 1, 1920), tok.encoder_state(2)), "2 rows"),
        (lambda tok: tok.encoder_state(0), "at least 1"),
        (lambda tok: tok.encoder_state(2).reset(5), "has 2 rows"),
        (lambda tok: tok.encoder_state(2).reset([True]), "needs shape"),
    ],
)
def test_bad_input(exported, call, message):
    with pytest.raises(ValueError, match=message):
        call(load(exported))


def test_codes_of_another_model_are_refused(exported, stereo_model):
    encoded = stereo_model.encode(torch.zeros(1, 2, 5000))
    with pytest.raises(ValueError, match="these codes are of a model with"):
        load(exported).decode(encoded)


def test_halves_and_single_graphs(small_model, tmp_path):
    export_tokenizer(small_model, tmp_path, Plan(graphs=("encode_step",)))
    tok = load(tmp_path)
    audio = torch.randn(1, 1, 300 * 1920, generator=torch.Generator().manual_seed(0)) * 0.2
    assert torch.equal(tok.encode(audio).codes, small_model.encode(audio).codes)
    with pytest.raises(ValueError, match=r"holds the graphs \['encode_step'\], not decode"):
        tok.decode(torch.zeros(1, 8, 3).long())
    export_tokenizer(small_model, tmp_path, Plan(graphs=("decode",)))
    assert not (tmp_path / "encode_step.onnx").exists()  # of the export before
    assert load(tmp_path).decode(torch.zeros(1, 8, 3).long()).shape == (1, 1, 3 * 1920)
    with pytest.raises(ValueError, match="only the encoder of this model was loaded"):
        load(tmp_path, part="encoder").decode(torch.zeros(1, 8, 3).long())
    with pytest.raises(ValueError, match="graphs must be some of"):
        Plan(graphs=("encoder",))


def test_large_models_keep_their_weights_beside_the_graphs(small_model, tmp_path, monkeypatch):
    monkeypatch.setattr(folder_module, "INLINE_LIMIT", 1000)
    export_tokenizer(small_model, tmp_path)
    assert (tmp_path / "encode.onnx").stat().st_size < (tmp_path / "encoder.weights").stat().st_size
    audio = torch.randn(1, 1, 9 * 1920, generator=torch.Generator().manual_seed(0)) * 0.2
    tok = load(tmp_path)
    expected = small_model.encode(audio)
    assert torch.equal(tok.encode(audio).codes, expected.codes)
    assert torch.equal(tok.stream_encoder().push(audio), expected.codes)
    assert torch.allclose(tok.decode(expected), small_model.decode(expected), atol=1e-5)
    (tmp_path / "encoder.weights").write_bytes(b"short")
    with pytest.raises(ValueError, match=r"encoder\.weights has 5 bytes instead of"):
        load(tmp_path)


def test_float16_weights(small_model, exported, tmp_path):
    """Half the bytes, float32 arithmetic, the quantizer as it is."""
    export_tokenizer(small_model, tmp_path, Plan(dtype="float16"))
    narrow = CausalAudioTokenizer.from_pretrained(exported, backend="onnx").runtime
    assert read_description(tmp_path).weight_hash == narrow.description.weight_hash
    size = {each: (each / "decode_step.onnx").stat().st_size for each in (tmp_path, exported)}
    assert size[tmp_path] < 0.8 * size[exported]
    rounded = pickle.loads(pickle.dumps(small_model))
    with torch.no_grad():
        for layer in [m for m in rounded.modules() if isinstance(m, torch.nn.Linear)]:
            layer.weight.copy_(layer.weight.half().float())
    audio = torch.randn(1, 1, 40 * 1920, generator=torch.Generator().manual_seed(0)) * 0.2
    tok, expected = load(tmp_path), rounded.encode(audio)
    assert torch.equal(tok.encode(audio).codes, expected.codes)
    assert torch.allclose(tok.decode(expected.codes), rounded.decode(expected.codes), atol=1e-5)


def test_a_failed_export_changes_nothing(small_model, exported, tmp_path, monkeypatch):
    target = tmp_path / "onnx"
    export_tokenizer(small_model, target)
    before = {path.name: path.read_bytes() for path in target.iterdir()}

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("catok.export.graphs.decode_step", fail)
    with pytest.raises(OSError):
        export_tokenizer(small_model, target)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == before


def test_damaged_folders(small_model, tmp_path):
    with pytest.raises(ValueError, match="make them with catok export"):
        load(tmp_path)
    with pytest.raises(ValueError, match="make them with catok export"):
        load("tiny")
    export_tokenizer(small_model, tmp_path, Plan(graphs=("encode",)))
    whole = (tmp_path / "encode.onnx").read_bytes()
    (tmp_path / "encode.onnx").write_bytes(bytes(len(whole)))
    with pytest.raises(ValueError, match="onnxruntime cannot load"):
        load(tmp_path).encode(torch.zeros(1, 1, 9))
    (tmp_path / "encode.onnx").unlink()
    with pytest.raises(ValueError, match=r"encode\.onnx is missing"):
        load(tmp_path)


def test_what_does_not_go_together(exported):
    with pytest.raises(ValueError, match="backend must be one of"):
        CausalAudioTokenizer.from_pretrained(exported, backend="tensorrt")
    with pytest.raises(ValueError, match="leave device and dtype out"):
        CausalAudioTokenizer.from_pretrained(exported, backend="onnx", dtype="float16")
    with pytest.raises(ValueError, match=r"torch\.set_num_threads"):
        CausalAudioTokenizer.from_pretrained("tiny", threads=2)
    with pytest.raises(ValueError, match="a set of ONNX graphs"):
        CausalAudioTokenizer.from_pretrained(exported)


WITHOUT_TORCH = """
import sys
import numpy as np
from catok.export import OnnxRuntime
runtime = OnnxRuntime(sys.argv[1], threads=1)
codes = runtime.encode(np.zeros((1, 1, 5000), np.float32), np.array([5000]))
codes, state = runtime.encode_step(np.zeros((1, 1, 1920), np.float32), runtime.encoder_state())
print(runtime.decode(codes, np.array([1920])).shape, "torch" in sys.modules, "onnx" in sys.modules)
"""


def test_the_runtime_needs_neither_torch_nor_onnx(exported):
    command = [sys.executable, "-c", WITHOUT_TORCH, str(exported)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "(1, 1, 1920) False False"
    assert isinstance(load(exported).runtime, OnnxRuntime)


def test_on_the_command_line(tmp_path, capsys, small_model):
    from catok import save_audio

    audio = torch.randn(1, 24_000 * 3, generator=torch.Generator().manual_seed(0)) * 0.1
    save_audio(tmp_path / "a.wav", audio, 24_000)
    small_model.save_pretrained(tmp_path / "model")
    graphs, plain = str(tmp_path / "onnx"), str(tmp_path / "model")
    assert main(["export", plain, "-o", graphs]) == 0
    assert "wrote encode, encode_step, decode, decode_step, embed of model" in (
        capsys.readouterr().err
    )
    assert main(["export", plain, "-o", graphs, "--skip-existing"]) == 0
    assert "exists already" in capsys.readouterr().err
    for model, name in ((graphs, "onnx"), (plain, "torch")):
        cat = str(tmp_path / f"{name}.cat")
        assert main(["encode", str(tmp_path / "a.wav"), "-o", cat, "--model", model]) == 0
        assert main(["decode", cat, "-o", f"{cat}.wav", "--model", graphs]) == 0
    assert (tmp_path / "onnx.cat").read_bytes() == (tmp_path / "torch.cat").read_bytes()
    both = ["roundtrip", str(tmp_path / "a.wav"), "-o", str(tmp_path / "b.wav")]
    assert main([*both, "--model", graphs]) == 0
    assert main(["info", graphs]) == 0
    told = capsys.readouterr().out
    assert "ONNX" in told and small_model.weight_hash in told
    assert main([*both, "--model", graphs, "--dtype", "bfloat16"]) == 1
    assert "leave --device and --dtype out" in capsys.readouterr().err
