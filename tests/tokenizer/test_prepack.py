"""A prepacked tokenizer gives what the plain one gives."""

import pickle

import pytest
import torch

from catok import CausalAudioTokenizer, load_audio

SPEECH = "examples/speech.flac"


@pytest.fixture(scope="module")
def both():
    plain = CausalAudioTokenizer.from_pretrained("tiny")
    packed = CausalAudioTokenizer.from_pretrained("tiny").prepack()
    return plain, packed


@pytest.fixture(scope="module")
def audio():
    return load_audio(SPEECH)[0][None, :, : 40 * 1920]


@pytest.mark.parametrize("num_quantizers", [None, 3])
def test_whole_recordings(both, audio, num_quantizers):
    plain, packed = both
    expected = plain.encode(audio, num_quantizers=num_quantizers)
    found = packed.encode(audio, num_quantizers=num_quantizers)
    assert torch.equal(found.codes, expected.codes)
    assert found.weight_hash == expected.weight_hash
    assert torch.allclose(packed.decode(found), plain.decode(expected), atol=1e-5)


def test_streams(both, audio):
    plain, packed = both
    codes = plain.encode(audio).codes
    encoder, decoder = packed.stream_encoder(), packed.stream_decoder()
    pieces = audio.split(packed.frame_size, dim=2)
    assert torch.equal(torch.cat([encoder.push(each) for each in pieces], dim=2), codes)
    sound = [decoder.push(each) for each in codes.split(1, dim=2)]
    assert torch.allclose(torch.cat(sound, dim=2), plain.decode(codes), atol=1e-5)


def test_saved_and_pickled(both, audio, tmp_path):
    plain, packed = both
    packed.save_pretrained(tmp_path)
    loaded = CausalAudioTokenizer.from_pretrained(tmp_path)
    assert all(torch.equal(loaded.state_dict()[k], v) for k, v in plain.state_dict().items())
    short = audio[..., :3840]
    again = pickle.loads(pickle.dumps(packed))
    assert torch.equal(again.encode(short).codes, packed.encode(short).codes)


def test_a_prepacked_model_is_not_compiled(both):
    with pytest.raises(ValueError, match="cannot be compiled"):
        both[1].compile()


def test_a_prepacked_model_is_on_the_cpu(both):
    with torch.device("meta"):
        model = CausalAudioTokenizer(both[0].config)
    with pytest.raises(ValueError, match="load the model there"):
        model.prepack()
