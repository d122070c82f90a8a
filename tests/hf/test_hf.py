"""The classes of transformers give what the tokenizer gives."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoFeatureExtractor, AutoModelForAudioTokenization

from catok import CausalAudioTokenizer
from catok.hf import CatokConfig, CatokModel


@pytest.fixture(scope="module", params=["mono", "stereo"])
def model(request, small_model, stereo_model) -> CatokModel:
    tokenizer = small_model if request.param == "mono" else stereo_model
    return CatokModel(CatokConfig(tokenizer.config.to_dict()), tokenizer)


def noise(model, samples: int, batch: int = 1, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(batch, model.tokenizer.channels, samples, generator=draw)


def test_a_padded_batch_is_what_each_recording_is_alone(model):
    audio, lengths = noise(model, 30_001, batch=3), torch.tensor([30_001, 5, 12_345])
    features = model.feature_extractor()(
        [row[:, :n].numpy() for row, n in zip(audio, lengths, strict=True)], return_tensors="pt"
    )
    assert features["input_values"].shape[2] % model.config.hop_length == 0
    assert features["padding_mask"].sum(1).tolist() == lengths.tolist()
    found = model.encode(**features)
    for row, length in enumerate(lengths):
        alone = model.tokenizer.encode(audio[row : row + 1, :, :length])
        frames = alone.codes.shape[2]
        assert found.audio_codes_mask[row].sum() == frames == -(-length // model.config.hop_length)
        assert torch.equal(found.audio_codes[row, :, :frames], alone.codes[0])
        assert not found.audio_codes[row, :, frames:].any()
        embedded = model.tokenizer.quantizer.encode(found.latents[row : row + 1, :, :frames])
        assert torch.equal(embedded, alone.codes)
    decoded = model.decode(found.audio_codes, features["padding_mask"])
    for row, length in enumerate(lengths):
        alone = model.tokenizer.encode(audio[row : row + 1, :, :length])
        expected = model.tokenizer.decode(alone)[0]
        torch.testing.assert_close(decoded.audio_values[row, :, :length], expected)
        assert not decoded.audio_values[row, :, length:].any()
        assert decoded.audio_mask[row].sum() == length


def test_forward_is_both_directions(model):
    audio = noise(model, 20_000)
    found = model(audio, num_quantizers=3)
    encoded = model.tokenizer.encode(audio, num_quantizers=3)
    assert torch.equal(found.audio_codes, encoded.codes)
    torch.testing.assert_close(found.audio_values, model.tokenizer.decode(encoded))
    again = model(audio_codes=found.audio_codes)
    torch.testing.assert_close(again.audio_values[..., :20_000], found.audio_values)
    assert isinstance(model.encode(audio, return_dict=False), tuple)


@pytest.mark.parametrize("frames", [1, 3, 7])
def test_streams_with_a_cache_are_the_whole(model, frames):
    size = model.config.hop_length
    audio = noise(model, 21 * size, batch=2)
    whole = model.encode(audio)
    encoder, decoder = model.encoder_cache(2), model.decoder_cache(2)
    codes, sound = [], []
    for chunk in audio.split(frames * size, dim=2):
        codes.append(model.encode(chunk, past_key_values=encoder).audio_codes)
        sound.append(model.decode(codes[-1], past_key_values=decoder).audio_values)
    assert torch.equal(torch.cat(codes, dim=2), whole.audio_codes)
    torch.testing.assert_close(
        torch.cat(sound, dim=2), model.decode(whole.audio_codes).audio_values, atol=1e-4, rtol=0
    )


def test_rows_of_a_cache_wait_and_begin_anew(model):
    size = model.config.hop_length
    audio = noise(model, 6 * size, batch=2)
    cache = model.encoder_cache(2)
    first = model.encode(audio[..., : 3 * size], past_key_values=cache).audio_codes
    mask = torch.ones(2, 3 * size)
    mask[1] = 0
    second = model.encode(audio[..., 3 * size :], mask, past_key_values=cache).audio_codes
    third = model.encode(audio[..., 3 * size :], past_key_values=cache).audio_codes
    whole = model.encode(audio).audio_codes
    assert torch.equal(torch.cat((first[0], second[0]), dim=1), whole[0])
    assert torch.equal(torch.cat((first[1], third[1]), dim=1), whole[1])
    assert not second[1].any()
    cache.reset([0])
    anew = model.encode(audio[..., : 3 * size], past_key_values=cache).audio_codes
    assert torch.equal(anew[0], whole[0, :, :3])


def test_chunks_change_nothing(model):
    audio = noise(model, 40 * model.config.hop_length - 7)
    whole, chunked = model.encode(audio), model.encode(audio, chunk_duration=0.4)
    assert torch.equal(whole.audio_codes, chunked.audio_codes)
    decoded = [model.decode(whole.audio_codes, chunk_duration=d).audio_values for d in (None, 0.16)]
    torch.testing.assert_close(*decoded, atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match="whole frames"):
        model.encode(audio, chunk_duration=0.1)


def test_round_trip_through_the_auto_classes(model, tmp_path):
    model.save_pretrained(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(config, CatokConfig)
    assert config.tokenizer_config == model.tokenizer.config
    loaded = AutoModelForAudioTokenization.from_pretrained(tmp_path)
    extractor = AutoFeatureExtractor.from_pretrained(tmp_path)
    audio = noise(model, 9000)
    features = extractor(audio[0].numpy(), sampling_rate=config.sampling_rate, return_tensors="pt")
    codes = loaded.encode(**features).audio_codes
    assert torch.equal(codes, model.tokenizer.encode(audio).codes)
    ours = CausalAudioTokenizer.from_pretrained(tmp_path)
    assert ours.weight_hash == model.tokenizer.weight_hash
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "catok"


def test_folders_of_the_tokenizer_load(model, tmp_path):
    model.tokenizer.save_pretrained(tmp_path)
    loaded = CatokModel.from_pretrained(tmp_path, dtype="float32")
    assert loaded.tokenizer.weight_hash == model.tokenizer.weight_hash
    config = CatokConfig.from_pretrained(tmp_path)
    assert config.tokenizer_config == model.tokenizer.config


def test_what_does_not_fit_is_refused(model):
    size, channels = model.config.hop_length, model.tokenizer.channels
    audio = noise(model, 2 * size)
    mask = torch.ones(1, 2 * size)
    mask[0, 3] = 0
    with pytest.raises(ValueError, match="zeros at the end"):
        model.encode(audio, mask)
    with pytest.raises(ValueError, match="padding_mask must be"):
        model.encode(audio, mask[:, 1:])
    with pytest.raises(ValueError, match="whole frames"):
        model.encode(audio[..., 1:], past_key_values=model.encoder_cache())
    with pytest.raises(ValueError, match="one of them"):
        model()
    extractor = model.feature_extractor()
    with pytest.raises(ValueError, match="resample"):
        extractor(np.zeros((channels, 10)), sampling_rate=8000)
    with pytest.raises(ValueError, match="a recording must be"):
        extractor(np.zeros((channels + 1, 10)))
    with pytest.raises(ValueError, match="got int16: divide by full scale"):
        extractor(np.zeros((channels, 10), dtype=np.int16))
    with pytest.raises(ValueError, match="padding=True"):
        extractor([np.zeros((channels, 10)), np.zeros((channels, 11))], padding=False)
