"""Speech models in onnxruntime: PyTorch's codes and transcripts, whole and streamed."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from catok import CausalAudioTokenizer, save_audio
from catok.cli import main
from catok.export import OnnxTokenLM, export_speech_model
from catok.export import speech_folder as speech_folder_module
from catok.lm import DecodingConfig, Recognizer, SamplingConfig, SpeechRequest, Synthesizer
from catok.lm.phrases import PHRASES
from catok.lm.speech_config import SpeechConfig
from catok.lm.speech_model import SpeechModel, load_speech_model
from catok.lm.text import ByteTokenizer
from tests.lm.asr.conftest import make, save_recognizer
from tests.lm.conftest import build, random_tokens
from tests.lm.tts.conftest import RESTRICTED, save_speech_model, voice

pytestmark = pytest.mark.slow

ENDLESS = replace(RESTRICTED, restrict_text=False, text_temperature=0.0)


def side_by_side(model):
    """`model` with positions that put text beside its speech."""
    language = replace(model.config.language_config, vocab_size=264 + len(PHRASES))
    config = replace(model.config, language_config=language, text_rate=1.25)
    return build(config)


def synthesizer(folder, speech, dtype="float32"):
    export_speech_model(speech, folder, dtype)
    return Synthesizer.from_pretrained(folder, backend="onnx", threads=1)


@pytest.fixture(scope="module")
def torch_folder(small_model, tmp_path_factory):
    return save_speech_model(tmp_path_factory.mktemp("speech") / "model", small_model)


@pytest.fixture(scope="module")
def pairs(torch_folder, tmp_path_factory):
    """Synthesizers in PyTorch and in onnxruntime: positions that count up, and others."""
    counting = load_speech_model(torch_folder, task="tts")
    model = side_by_side(counting.model)
    beside = replace(counting, model=model, text=ByteTokenizer(model.config))
    return {
        name: (Synthesizer(speech), synthesizer(tmp_path_factory.mktemp(name), speech))
        for name, speech in (("counting", counting), ("beside", beside))
    }


@pytest.fixture(scope="module")
def recognizers(small_model, tmp_path_factory):
    recognizer = make(small_model)
    folder = tmp_path_factory.mktemp("asr")
    speech = SpeechModel(
        recognizer.model, recognizer.text, small_model, SpeechConfig("codec", tasks=("asr",)),
        "small", recognizer.prefiller.head,
    )  # fmt: skip
    export_speech_model(speech, folder)
    return recognizer, Recognizer.from_pretrained(folder, backend="onnx", threads=1)


@pytest.mark.parametrize("positions", ["counting", "beside"])
def test_the_same_codes_for_the_same_seed(pairs, positions):
    ours, onnx = pairs[positions]
    assert isinstance(onnx.model, OnnxTokenLM)
    requests = [
        SpeechRequest("One.", seed=1, max_seconds=0.8),
        SpeechRequest("Number two.", seed=2, max_seconds=0.8, sampling=ENDLESS),
        SpeechRequest("Three.", seed=3, num_quantizers=2, sampling=ENDLESS, max_seconds=0.8),
        SpeechRequest(
            "Four.", seed=4, max_seconds=0.8, sampling=replace(ENDLESS, guidance=2.0),
            reference=voice(), reference_text="Said.",
        ),
    ]  # fmt: skip
    for request, expected, got in zip(
        requests, ours.synthesize(requests), onnx.synthesize(requests), strict=True
    ):
        assert torch.equal(got.codes, expected.codes) and got.ended == expected.ended
        assert torch.allclose(got.audio, expected.audio, atol=1e-5)
        stream = onnx.stream(request)
        audio = torch.cat([torch.zeros(1, 0), *stream], dim=1)
        assert torch.equal(stream.codes, expected.codes)
        assert torch.allclose(audio, expected.audio, atol=1e-5)
    assert got.codes.shape[1] == 10


@pytest.mark.parametrize("positions", ["counting", "beside"])
def test_steps_of_any_length(pairs, positions):
    """Rows padded on the left, read in pieces; an old state stays valid."""
    ours, onnx = (each.model for each in pairs[positions])
    tokens = random_tokens(ours.config, 2, 12)
    mask = torch.ones(2, 12, dtype=torch.bool)
    mask[1, :5] = False
    with torch.no_grad():
        expected, _ = ours.temporal(tokens, mask, num_quantizers=3)
    for pieces in ([12], [6, 1, 1, 4], [1] * 12):
        state, hidden, first = None, [], None
        cuts = zip(tokens.split(pieces, dim=1), mask.split(pieces, dim=1), strict=True)
        for part, real in cuts:
            found, state = onnx.temporal(part, real, state, num_quantizers=3)
            hidden.append(found)
            first = first or state
        assert torch.allclose(torch.cat(hidden, dim=1)[mask], expected[mask], atol=1e-4)
        if len(pieces) > 1:
            again, _ = onnx.temporal(
                tokens[:, pieces[0] :], mask[:, pieces[0] :], first, num_quantizers=3
            )
            assert torch.allclose(again[0], expected[0, pieces[0] :], atol=1e-4)


@pytest.mark.parametrize("method", ["beam", "greedy", "ctc"])
def test_the_same_transcripts(recognizers, method):
    ours, onnx = recognizers
    config = DecodingConfig(method=method, timestamps=True)
    audio = [voice(1.5, seed=1), voice(0.7, seed=2)]
    for expected, got in zip(
        ours.transcribe(audio, 24_000, config), onnx.transcribe(audio, 24_000, config), strict=True
    ):
        assert (got.text, got.words) == (expected.text, expected.words)
        assert got.log_prob == pytest.approx(expected.log_prob, rel=1e-4)
    session, pieces = onnx.stream(config), audio[0].split(5000, dim=1)
    partial = [session.push(piece).text for piece in pieces]
    reference = ours.stream(config)
    assert partial == [reference.push(piece).text for piece in pieces]
    assert session.finish().text == reference.finish().text


@pytest.mark.parametrize(("dtype", "least"), [("float16", 55), ("int8", 25), ("int4", 8)])
def test_fewer_bits(pairs, torch_folder, tmp_path, dtype, least):
    """The model that has been rounded is still near the exact one."""
    exact = pairs["counting"][0].model
    speech = load_speech_model(torch_folder, task="tts")
    narrow = synthesizer(tmp_path, speech, dtype)
    tokens = random_tokens(exact.config, 1, 20)
    with torch.no_grad():
        wanted, _ = exact.temporal(tokens)
    got, _ = narrow.model.temporal(tokens)
    error = float((wanted - got).square().mean() / wanted.square().mean())
    assert least < -10 * math.log10(error) < least + 45
    assert narrow.tokenizer.runtime.description.dtype == dtype
    assert narrow.synthesize([SpeechRequest("One.", seed=1, max_seconds=0.4)])[0].codes.numel()
    sizes = {path.name: path.stat().st_size for path in tmp_path.glob("*_step.onnx")}
    whole = pairs["counting"][1].model.runtime.folder
    assert all(size < (whole / name).stat().st_size for name, size in sizes.items())


def test_released_folders(torch_folder, small_model, tmp_path):
    """Without speech.json and our own settings: the tokenizer is named, and comes along."""
    released, graphs = tmp_path / "released", tmp_path / "graphs"
    load_speech_model(torch_folder, task="tts").model.save_pretrained(released)
    config = json.loads((released / "config.json").read_text())
    del config["catok"]
    (released / "config.json").write_text(json.dumps(config))
    codec = str(torch_folder / "codec")
    assert main(["export", str(released), "-o", str(graphs), "--tokenizer", codec]) == 0
    ours = Synthesizer.from_pretrained(released, tokenizer=small_model)
    onnx = Synthesizer.from_pretrained(graphs, backend="onnx", threads=1)
    request = SpeechRequest("One.", seed=5, max_seconds=0.5)
    assert onnx.sampling == ours.sampling == SamplingConfig()
    assert torch.equal(onnx.synthesize([request])[0].codes, ours.synthesize([request])[0].codes)


def test_large_models_keep_their_weights_beside_the_graphs(torch_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(speech_folder_module, "INLINE_LIMIT", 1000)
    speech = load_speech_model(torch_folder, task="tts")
    onnx = synthesizer(tmp_path, speech)
    assert (tmp_path / "depth_step.onnx").stat().st_size < 200_000
    request = SpeechRequest("One.", seed=5, max_seconds=0.4)
    expected = Synthesizer(speech).synthesize([request])[0].codes
    assert torch.equal(onnx.synthesize([request])[0].codes, expected)
    (tmp_path / "lm.weights").write_bytes(b"short")
    with pytest.raises(ValueError, match=r"lm\.weights has 5 bytes instead of"):
        Synthesizer.from_pretrained(tmp_path, backend="onnx")


WITHOUT_TORCH = """
import sys
import numpy as np
from catok.export import OnnxLMRuntime
runtime = OnnxLMRuntime(sys.argv[1], threads=1)
tokens, mask = np.ones((1, 3, 5), np.int64), np.ones((1, 3), bool)
places = np.arange(3, dtype=np.float32)[None]
hidden, past = runtime.temporal_step(tokens, mask, places, runtime.no_past())
previous, depth = hidden[:, -1], runtime.no_depth_past()
for channel in range(5):
    logits, depth = runtime.depth_step(channel, previous, depth)
    previous = logits.argmax(1)
print(past[0].shape, depth[0].shape, logits.shape, "torch" in sys.modules, "onnx" in sys.modules)
"""


def test_the_runtime_needs_neither_torch_nor_onnx(pairs):
    command = [sys.executable, "-c", WITHOUT_TORCH, str(pairs["counting"][1].model.runtime.folder)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "(1, 2, 3, 8) (1, 2, 5, 8) (1, 65) False False"


def test_what_does_not_go_together(pairs, torch_folder):
    onnx = pairs["counting"][1]
    folder = onnx.model.runtime.folder
    with pytest.raises(ValueError, match="a set of ONNX graphs of a speech model, not a speech"):
        Synthesizer.from_pretrained(folder)
    with pytest.raises(ValueError, match="not a set of ONNX graphs of a speech model"):
        Synthesizer.from_pretrained(torch_folder, backend="onnx")
    with pytest.raises(ValueError, match="leave device and dtype out"):
        Synthesizer.from_pretrained(folder, backend="onnx", dtype="float16")
    with pytest.raises(ValueError, match="backend must be one of"):
        Synthesizer.from_pretrained(folder, backend="tensorrt")
    with pytest.raises(ValueError, match=r"torch\.set_num_threads"):
        Synthesizer.from_pretrained(torch_folder, threads=2)
    with pytest.raises(ValueError, match="trained for tts, not for asr"):
        Recognizer.from_pretrained(folder, backend="onnx")
    with pytest.raises(ValueError, match="load it without a backend"):
        export_speech_model(load_speech_model(folder, task="tts", backend="onnx"), torch_folder)
    with pytest.raises(ValueError, match="give it to catok tts"):
        CausalAudioTokenizer.from_pretrained(folder)


def test_on_the_command_line(torch_folder, small_model, tmp_path, capsys):
    graphs, plain = str(tmp_path / "onnx"), str(torch_folder)
    assert main(["export", plain, "-o", graphs]) == 0
    assert "and its audio tokenizer in float32" in capsys.readouterr().err
    for model, name in ((graphs, "onnx.wav"), (plain, "torch.wav")):
        speak = ["tts", "One.", "-o", str(tmp_path / name), "--model", model]
        assert main([*speak, "--max-seconds", "0.4"]) == 0
    sizes = {(tmp_path / name).stat().st_size for name in ("onnx.wav", "torch.wav")}
    assert len(sizes) == 1
    assert main(["info", graphs]) == 0
    assert "depth_step.onnx" in capsys.readouterr().out
    assert main(["export", plain, "-o", graphs, "--overwrite", "--part", "encoder"]) == 2
    assert main(["export", "tiny", "-o", str(tmp_path / "x"), "--tokenizer", "tiny"]) == 2
    assert main(["tts", "One.", "-o", str(tmp_path / "x.wav"), "--model", graphs,
                 "--dtype", "bfloat16"]) == 1  # fmt: skip

    recognizer = save_recognizer(tmp_path / "asr", make(small_model), str(torch_folder / "codec"))
    save_audio(tmp_path / "a.wav", voice(), 24_000)
    assert main(["export", str(recognizer), "-o", str(tmp_path / "asr-onnx")]) == 0
    said = []
    for model in (recognizer, tmp_path / "asr-onnx"):
        capsys.readouterr()
        assert main(["asr", str(tmp_path / "a.wav"), "--model", str(model)]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
