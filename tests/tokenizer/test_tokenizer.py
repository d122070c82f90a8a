"""Recordings of any length, batches, halves: exactness of encode and decode."""

import copy
import io
import pickle
from dataclasses import replace
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
import torch.multiprocessing  # teaches ForkingPickler tensors
from hypothesis import given, settings
from hypothesis import strategies as st

from catok import CausalAudioTokenizer, Encoded
from catok.tokenizer import tokenizer as tokenizer_module
from tests.conftest import build, small_settings

FRAME = 1920


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.2


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 5 * FRAME))
def test_no_sample_is_lost(small_model, samples):
    audio = noise(1, 1, samples)
    encoded = small_model.encode(audio)
    assert encoded.frame_lengths.tolist() == [-(-samples // FRAME)]
    assert encoded.codes.shape == (1, 8, -(-samples // FRAME))
    assert small_model.decode(encoded).shape == audio.shape


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 6 * FRAME), min_size=2, max_size=4), st.integers(0, 99))
def test_alone_equals_batched(small_model, lengths, seed):
    audio = noise(len(lengths), 1, max(lengths) + 100, seed=seed)
    batch = small_model.encode(audio, torch.tensor(lengths))
    decoded = small_model.decode(batch)
    for row, samples in enumerate(lengths):
        alone = small_model.encode(audio[row : row + 1, :, :samples])
        frames = alone.codes.shape[2]
        assert torch.equal(batch.codes[row, :, :frames], alone.codes[0])
        assert batch.codes[row, :, frames:].eq(0).all()
        audio_alone = small_model.decode(alone)[0]
        assert torch.allclose(decoded[row, :, :samples], audio_alone, atol=1e-5)
        assert decoded[row, :, samples:].eq(0).all()


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 8), st.integers(1, 4 * FRAME))
def test_a_prefix_of_codebooks_decodes(small_model, depth, samples):
    audio = noise(1, 1, samples)
    whole, short = small_model.encode(audio), small_model.encode(audio, num_quantizers=depth)
    assert torch.equal(short.codes, whole.codes[:, :depth])
    assert torch.equal(small_model.decode(short), small_model.decode(whole, depth))
    assert torch.equal(small_model.decode(whole.prefix(depth)), small_model.decode(short))


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 60 * FRAME), st.integers(1, 30))
def test_working_in_chunks_equals_the_whole(small_model, samples, frames):
    audio = noise(1, 1, samples)
    whole = small_model.encode(audio)
    expected = small_model.decode(whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokenizer_module, "LONG_FRAMES", frames)
        chunked = small_model.encode(audio)
        decoded = small_model.decode(whole)
    assert torch.equal(chunked.codes, whole.codes)
    assert torch.allclose(decoded, expected, atol=1e-5)


def test_stereo_keeps_its_channels(stereo_model):
    audio = noise(1, 2, 3000)
    encoded = stereo_model.encode(audio)
    assert encoded.channels == 2
    assert encoded.codes.shape == (1, 8, -(-3000 // stereo_model.frame_size))
    assert stereo_model.decode(encoded).shape == (1, 2, 3000)
    swapped = stereo_model.encode(audio.flip(1))
    assert not torch.equal(swapped.codes, encoded.codes)


def test_interleaving_alternates_channels(stereo_model):
    audio = torch.tensor([[[1.0, 2, 3], [10, 20, 30]]])
    waveform = stereo_model.interleave(audio)
    assert waveform.tolist() == [[[1, 10, 2, 20, 3, 30]]]
    assert torch.equal(stereo_model.separate(waveform), audio)


def test_what_lies_past_a_rows_length_is_never_heard(small_model):
    audio = noise(1, 1, 3 * FRAME)
    loud = audio.clone()
    loud[..., 3000:] = float("nan")
    length = torch.tensor([3000])
    heard = small_model.encode(loud, length)
    assert torch.equal(heard.codes, small_model.encode(audio, length).codes)


def test_bare_codes_decode_to_whole_frames(small_model):
    codes = torch.randint(0, 64, (2, 5, 3))
    assert small_model.decode(codes).shape == (2, 1, 3 * FRAME)


def test_numpy_arrays_are_taken_like_tensors(small_model):
    audio = noise(2, 1, 3 * FRAME)
    expected = small_model.encode(audio, [3 * FRAME, 100])
    array = audio.numpy()
    array.flags.writeable = False
    encoded = small_model.encode(array, np.array([3 * FRAME, 100]), np.int64(8))
    assert torch.equal(encoded.codes, expected.codes)
    backwards = small_model.encode(array[..., ::-1]).codes
    assert torch.equal(backwards, small_model.encode(audio.flip(2)).codes)
    codes = expected.codes.numpy()
    same = replace(expected, codes=codes, sample_lengths=np.array([3 * FRAME, 100]))
    assert torch.equal(small_model.decode(same), small_model.decode(expected))
    assert torch.equal(small_model.decode(codes), small_model.decode(expected.codes))
    assert torch.equal(small_model.embed(codes), small_model.embed(expected.codes))
    active = np.array([True, False])
    steps = [
        small_model.encode_step(given, small_model.encoder_state(2), rows)[0]
        for given, rows in ((array, active), (audio, torch.from_numpy(active)))
    ]
    assert torch.equal(*steps)
    sounds = [
        small_model.decode_step(given, small_model.decoder_state(2), rows)[0]
        for given, rows in ((codes, active), (expected.codes, torch.from_numpy(active)))
    ]
    assert torch.equal(*sounds)
    pushed = small_model.stream_encoder(2).push(array)
    assert torch.equal(pushed, small_model.stream_encoder(2).push(audio))
    played = [small_model.stream_decoder(2).push(given) for given in (codes, expected.codes)]
    assert torch.equal(*played)


DEFAULTS = {
    "float64": lambda: torch.set_default_dtype(torch.float64),
    "bfloat16": lambda: torch.set_default_dtype(torch.bfloat16),
    "device": lambda: torch.set_default_device("meta"),  # as "cuda" with a model on the CPU
}


@pytest.mark.parametrize("change", DEFAULTS.values(), ids=DEFAULTS)
def test_results_do_not_depend_on_pytorchs_defaults(small_model, tmp_path, change):
    audio, lengths = noise(2, 1, 3 * FRAME), [3 * FRAME, 4000]
    expected = small_model.encode(audio, lengths)
    sound = small_model.decode(expected)
    small_model.save_pretrained(tmp_path)
    expected[1].save(tmp_path / "x.cat")
    try:
        change()
        model = CausalAudioTokenizer.from_pretrained(tmp_path)
        assert {p.dtype for p in model.parameters()} == {torch.float32}
        for each in (small_model, model):
            encoded = each.encode(audio, lengths)
            assert torch.equal(encoded.codes, expected.codes)
            assert torch.equal(each.decode(encoded), sound)
            session, player = each.stream_encoder(2), each.stream_decoder(2)
            codes = [session.push(audio[..., :3000]), session.push(audio[..., 3000:])]
            assert torch.equal(torch.cat(codes, dim=2)[0], expected.codes[0])
            assert torch.allclose(player.push(expected.codes)[0], sound[0], atol=1e-5)
            assert player.flush().dtype == torch.float32
            state = each.encoder_state(2).reset([0])
            step, _ = each.encode_step(audio, state, [True, False])
            assert torch.equal(step[0], expected.codes[0])
        assert torch.equal(Encoded.load(tmp_path / "x.cat").codes, expected[1].codes)
        trained = small_model(audio, mask=torch.ones(2, 3, dtype=torch.bool, device="cpu"))
        assert trained.audio.dtype == torch.float32
        CausalAudioTokenizer(small_model.config)  # in the default dtype, on the default device
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)


def test_a_model_loaded_in_inference_mode_can_be_trained(small_model, tmp_path):
    small_model.save_pretrained(tmp_path)
    with torch.inference_mode():
        model = CausalAudioTokenizer.from_pretrained(tmp_path)
        model.decode(model.encode(noise(1, 1, FRAME)))
    model(noise(1, 1, FRAME)).audio.sum().backward()


def test_embed_gives_the_latents_that_the_decoder_hears(small_model):
    codes = torch.randint(0, 64, (2, 5, 3))
    latents = small_model.embed(codes)
    assert latents.shape == (2, 16, 3)
    with torch.no_grad():
        audio = small_model.separate(small_model.decoder(latents))
    assert torch.equal(audio, small_model.decode(codes))


def test_encode_and_decode_take_no_gradients_but_training_does():
    model = build(small_settings())
    assert not model.decode(model.encode(noise(1, 1, FRAME))).requires_grad
    result = model(noise(2, 1, 2 * FRAME), torch.tensor([3, 8]))
    assert result.audio.shape == (2, 1, 2 * FRAME)
    result.audio.pow(2).mean().backward()
    assert all(p.grad is not None for p in model.encoder.parameters())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_works_with_a_float32_quantizer(tmp_path, small_model, dtype):
    small_model.save_pretrained(tmp_path)
    model = CausalAudioTokenizer.from_pretrained(tmp_path, dtype=dtype)
    assert model.encoder.dtype == dtype
    assert model.quantizer.device.type == "cpu"
    assert {p.dtype for p in model.quantizer.parameters()} == {torch.float32}
    audio = noise(1, 1, 20 * FRAME)
    encoded = model.encode(audio)
    decoded = model.decode(encoded)
    assert decoded.dtype == torch.float32 and decoded.shape == audio.shape
    reference = small_model.decode(encoded)
    assert (decoded - reference).pow(2).mean() < 1e-3 * reference.pow(2).mean()
    codes, _ = model.encode_step(audio[..., :FRAME], model.encoder_state(1))
    assert codes.shape == (1, 8, 1)


def test_provenance_names_the_code_space(small_model):
    encoded = small_model.encode(noise(1, 1, FRAME))
    assert encoded.model_id == "small" and len(encoded.weight_hash) == 16
    other = build(small_settings(), seed=1)
    assert other.weight_hash != small_model.weight_hash
    with pytest.raises(ValueError, match="made by another model"):
        other.decode(encoded)
    assert other.decode(encoded.codes).shape == (1, 1, FRAME)


def test_the_weight_hash_follows_every_bit_of_the_quantizer():
    model = build(small_settings())
    before = model.weight_hash
    assert model.weight_hash == before  # from memory
    row = model.quantizer.codebooks[3].codebook.weight.data[0]
    kept = row.clone()
    for change in (lambda: row.mul_(1 + 1e-6), lambda: row.numpy().fill(-0.0), lambda: row.zero_()):
        old = model.weight_hash
        change()
        assert model.weight_hash != old
        assert model.encode(noise(1, 1, FRAME)).weight_hash == model.weight_hash
    row.copy_(kept)
    assert model.weight_hash == before
    next(model.encoder.parameters()).data.zero_()  # not part of the code space
    assert model.weight_hash == before


def by_torch_save(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize(
    "copied",
    [lambda m: pickle.loads(pickle.dumps(m)), by_torch_save, copy.deepcopy],
    ids=["pickle", "torch.save", "deepcopy"],
)
def test_models_and_codes_can_be_pickled_and_copied(small_model, copied):
    audio = noise(2, 1, 3 * FRAME)
    expected = small_model.encode(audio)
    again = copied(small_model)
    assert torch.equal(again.encode(audio).codes, expected.codes)
    assert torch.equal(again.decode(expected), small_model.decode(expected))
    again.quantizer.codebooks[0].codebook.weight.data.add_(1)  # a copy shares nothing
    assert again.weight_hash != small_model.weight_hash == expected.weight_hash
    codes = copied(expected)
    assert torch.equal(codes.codes, expected.codes)
    assert torch.equal(codes.sample_lengths, expected.sample_lengths)
    assert codes.weight_hash == expected.weight_hash


def test_a_model_reaches_other_processes():
    model, audio = build(small_settings()), noise(1, 1, 2 * FRAME)
    sent = ForkingPickler.dumps(model)  # as spawned processes are sent their arguments
    assert torch.equal(pickle.loads(sent).encode(audio).codes, model.encode(audio).codes)


def test_codes_of_another_kind_of_model_are_refused(small_model, stereo_model):
    encoded = stereo_model.encode(noise(1, 2, FRAME))
    with pytest.raises(ValueError, match="a model with sample_rate 12000, this one has 24000"):
        small_model.decode(encoded)
