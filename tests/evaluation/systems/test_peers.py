"""Encodec, DAC and Mimi: small random models through the same interface as ours."""

import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from catok.evaluation.systems.registry import build_system

transformers = pytest.importorskip("transformers")

SETTINGS = {  # bits per code, samples per frame, settings of "all"
    "encodec": (4, 320, ("0.6 kbps", "1.2 kbps")),
    "dac": (5, 40, ("3 kbps", "6 kbps", "9 kbps")),
    "mimi": (4, 1920, ("0.05 kbps", "0.1 kbps", "0.2 kbps", "0.25 kbps")),
}


def small(kind: str):
    torch.manual_seed(0)
    if kind == "encodec":
        sizes = {"num_filters": 4, "hidden_size": 8, "num_lstm_layers": 1, "codebook_size": 16}
        config = transformers.EncodecConfig(**sizes, target_bandwidths=[0.6, 1.2])
        model = transformers.EncodecModel(config)
    elif kind == "dac":
        sizes = {"encoder_hidden_size": 4, "decoder_hidden_size": 16, "downsampling_ratios": [8, 5]}
        sizes |= {"n_codebooks": 3, "codebook_size": 32, "sampling_rate": 24_000}
        model = transformers.DacModel(transformers.DacConfig(**sizes))
    else:
        sizes = {"num_filters": 4, "hidden_size": 16, "num_hidden_layers": 1, "codebook_dim": 8}
        sizes |= {"vector_quantization_hidden_dimension": 8, "intermediate_size": 32}
        sizes |= {"num_attention_heads": 2, "num_key_value_heads": 2, "upsample_groups": 16}
        config = transformers.MimiConfig(**sizes, codebook_size=16, num_quantizers=5)
        model = transformers.MimiModel(config)
    for name, buffer in model.state_dict().items():
        if name.endswith(("codebook.embed", "codebook.embed_sum")):
            buffer.normal_()  # they start as zeros
    return model.eval()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("peers")
    for kind in SETTINGS:
        small(kind).save_pretrained(root / kind)
    return root


@pytest.mark.parametrize("kind", SETTINGS)
def test_outputs(kind, folders):
    bits, frame_size, names = SETTINGS[kind]
    system = build_system(f"{kind}={folders / kind}")
    assert system.name == str(folders / kind)
    assert system.settings == names
    for channels, rate, samples in ((1, 24_000, 4801), (2, 16_000, 1111)):
        audio = torch.rand(channels, samples) - 0.5
        frames = math.ceil(samples * 24_000 / rate / frame_size)
        outputs = list(system.run(audio, rate))
        assert tuple(output.setting for output in outputs) == names
        for output in outputs:
            assert output.audio.shape == audio.shape
            assert output.bits == output.num_quantizers * bits * frames
            assert output.encoded.codes.shape == (1, outputs[-1].num_quantizers, frames)
        assert not torch.allclose(outputs[0].audio, outputs[-1].audio)


@pytest.mark.parametrize("kind", SETTINGS)
def test_the_same_as_the_library_alone(kind, folders):
    model = small(kind)
    frame_size = SETTINGS[kind][1]
    audio = torch.rand(1, 1, 6 * frame_size) - 0.5
    system = build_system(f"{kind}={folders / kind}")
    with torch.no_grad():
        expected = model(audio).audio_values.flatten()  # Encodec: at its lowest bitrate
    output = list(system.run(audio[0], 24_000))[0 if kind == "encodec" else -1]
    assert len(expected) <= output.audio.shape[1]
    torch.testing.assert_close(output.audio[0, : len(expected)], expected)


@pytest.mark.slow
def test_settings(folders):
    assert build_system(f"mimi={folders / 'mimi'}:3q,0.05").settings == ("0.15 kbps", "0.05 kbps")
    with pytest.raises(ValueError, match=r'it has 0.6 kbps \("2q"\), 1.2 kbps \("4q"\)'):
        build_system(f"encodec={folders / 'encodec'}:1q")


def test_folders_that_do_not_fit(folders, tmp_path):
    with pytest.raises(ValueError, match="it is a mimi: write mimi="):
        build_system(f"encodec={folders / 'mimi'}")
    with pytest.raises(ValueError, match="no folder 'nowhere' with dac"):
        build_system("dac=nowhere")
    with pytest.raises(ValueError, match="cannot load dac from"):
        build_system(f"dac={tmp_path}")
    model = small("encodec")
    model.config.normalize = True
    model.save_pretrained(tmp_path / "chunks")
    with pytest.raises(ValueError, match="normalised chunks: use the 24 kHz model"):
        build_system(f"encodec={tmp_path / 'chunks'}")


def test_missing_weights_are_not_made_up(folders, tmp_path):
    model = small("dac")
    model.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["decoder.conv2.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 weights of dac \(decoder.conv2.weight"):
        build_system(f"dac={tmp_path}")
