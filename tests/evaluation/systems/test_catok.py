"""Our tokenizer as a system: prefixes, bits, lengths, and how bitrates are asked for."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.evaluation.systems.catok import CatokCodec, catok_system
from catok.evaluation.systems.neural import NeuralSystem
from catok.io.cat_file import bits_per_code, pack_codes


def test_every_setting_is_a_prefix_of_one_encoding(small_model):
    audio = torch.rand(1, 24_000 + 11) - 0.5
    system = NeuralSystem("small", CatokCodec(small_model), ["8q", 0.075, "0.225"])
    outputs = list(system.run(audio, small_model.sample_rate))
    encoded = small_model.encode(audio[None])
    assert tuple(output.setting for output in outputs) == system.settings
    assert system.settings == ("0.6 kbps", "0.075 kbps", "0.225 kbps")
    for output, depth in zip(outputs, (8, 1, 3), strict=True):
        assert output.num_quantizers == depth
        assert torch.equal(output.audio, small_model.decode(encoded, num_quantizers=depth)[0])
        assert output.encoded is not None and torch.equal(output.encoded.codes, encoded.codes)
    assert not torch.equal(outputs[0].audio, outputs[1].audio)


@given(
    seconds=st.floats(0.01, 0.5),
    rate=st.sampled_from([8000, 24_000, 44_100]),
    channels=st.sampled_from([1, 2]),
    stereo=st.booleans(),
)
@settings(max_examples=20, deadline=None)
def test_lengths_channels_and_bits(small_model, stereo_model, seconds, rate, channels, stereo):
    model = stereo_model if stereo else small_model
    audio = torch.rand(channels, max(1, round(seconds * rate))) - 0.5
    frames = math.ceil(audio.shape[1] * model.sample_rate / rate / model.frame_size)
    for output in NeuralSystem("any", CatokCodec(model), "all").run(audio, rate):
        assert output.audio.shape == audio.shape and output.audio.isfinite().all()
        assert output.bits == output.num_quantizers * frames * 6  # codebooks of 64
        assert output.encode_seconds > 0 and output.decode_seconds > 0


def test_bits_are_the_payload_of_the_file(small_model):
    (output,) = NeuralSystem("small", CatokCodec(small_model), ["2q"]).run(
        torch.rand(1, 16 * small_model.frame_size) - 0.5, small_model.sample_rate
    )
    planes = output.encoded.prefix(2).codes[0].numpy()
    assert output.bits == 8 * sum(len(pack_codes(plane, 64)) for plane in planes)
    assert bits_per_code(64) == 6


def test_a_mono_codec_gives_both_channels_the_same(small_model):
    audio = torch.rand(2, 4000) - 0.5
    (output,) = NeuralSystem("small", CatokCodec(small_model), ["1q"]).run(audio, 24_000)
    assert torch.equal(output.audio[0], output.audio[1])


def test_all_means_doublings(small_model):
    assert NeuralSystem("small", CatokCodec(small_model)).codebook_counts == (1, 2, 4, 8)
    codec = CatokCodec(small_model)
    codec.codebook_counts = (2, 3, 4, 5, 6)
    assert NeuralSystem("small", codec, "all").codebook_counts == (2, 4, 6)


@pytest.mark.parametrize(
    ("bitrates", "words"),
    [
        ([0.1], r'does not have 0.1: it has 0.075 kbps \("1q"\), 0.15 kbps'),
        (["9q"], "does not have 9q"),
        (["0q"], "does not have 0q"),
        (["nan"], "does not have nan"),
        (["1x"], "'1x' is no bitrate"),
        (["q"], "'q' is no bitrate"),
        ([], "no bitrates"),
        ("most", 'must be "all"'),
    ],
)
def test_bad_bitrates(small_model, bitrates, words):
    with pytest.raises(ValueError, match=words):
        NeuralSystem("small", CatokCodec(small_model), bitrates)


def test_long_lists_are_told_as_multiples():
    with pytest.raises(ValueError, match=r"multiples of 0.125 kbps up to 4 kbps .*32q"):
        catok_system("tiny", [0.3])


def test_a_folder_of_weights(small_model, tmp_path):
    small_model.save_pretrained(tmp_path / "mine")
    system = catok_system(str(tmp_path / "mine"), ["0.075"])
    assert system.name == str(tmp_path / "mine")
    audio = torch.rand(1, 5000) - 0.5
    (output,) = system.run(audio, 24_000)
    assert torch.equal(output.audio, small_model.decode(small_model.encode(audio[None]), 1)[0])


def test_weights_stand_for_the_decoder_too(small_model):
    model, audio = copy.deepcopy(small_model), torch.rand(1, 4000)
    (before,) = NeuralSystem("small", CatokCodec(model), ["1q"]).run(audio, 24_000)
    with torch.no_grad():
        next(model.decoder.parameters()).add_(1e-3)
    (after,) = NeuralSystem("small", CatokCodec(model), ["1q"]).run(audio, 24_000)
    assert before.encoded.weight_hash == after.encoded.weight_hash
    assert before.weights != after.weights and len(after.weights) == 16
