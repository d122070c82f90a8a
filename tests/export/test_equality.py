"""onnxruntime gives PyTorch's codes and sound: whole, in every chunking, past the window, in any
batch, with rows that come and go.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok import CausalAudioTokenizer
from catok.export.runtime import LONG_FRAMES, STEP_FRAMES

FRAME = 1920


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 0.2


@pytest.fixture(scope="module")
def onnx(exported):
    return CausalAudioTokenizer.from_pretrained(exported, backend="onnx", threads=1)


@pytest.fixture(scope="module")
def onnx_stereo(exported_stereo):
    return CausalAudioTokenizer.from_pretrained(exported_stereo, backend="onnx", threads=1)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 40 * FRAME), min_size=1, max_size=3), st.integers(0, 99))
def test_whole_recordings(small_model, onnx, lengths, seed):
    """Batches of any lengths, several times the window of 15 frames."""
    audio = noise(len(lengths), 1, max(lengths), seed=seed)
    given_lengths = torch.tensor(lengths)
    expected, got = small_model.encode(audio, given_lengths), onnx.encode(audio, given_lengths)
    assert torch.equal(got.codes, expected.codes)
    assert torch.equal(got.sample_lengths, expected.sample_lengths)
    assert torch.allclose(onnx.decode(got), small_model.decode(expected), atol=1e-5)
    for row, length in enumerate(lengths):
        alone = onnx.encode(audio[row : row + 1, :, :length]).codes
        assert torch.equal(alone[0], got.codes[row, :, : alone.shape[2]])


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(1, 8))
def test_steps_past_the_window(small_model, onnx, chunks, depth):
    audio = noise(2, 1, sum(chunks) * FRAME, seed=len(chunks))
    expected = small_model.encode(audio)
    encoder, decoder = onnx.encoder_state(2), onnx.decoder_state(2)
    codes, sound = [], []
    for chunk in audio.split([n * FRAME for n in chunks], dim=2):
        part, encoder = onnx.encode_step(chunk, encoder)
        played, decoder = onnx.decode_step(part[:, :depth], decoder)
        codes.append(part)
        sound.append(played)
    assert torch.equal(torch.cat(codes, dim=2), expected.codes)
    decoded = small_model.decode(expected, depth)
    assert torch.allclose(torch.cat(sound, dim=2), decoded, atol=1e-5)


@settings(deadline=None, max_examples=12)
@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 7), st.integers(0, 7)), max_size=8),
    st.integers(0, 99),
)
def test_rows_pause_restart_and_end(small_model, onnx, plan, seed):
    """Each step: (frames, mask of rows that advance, mask of rows that start anew before it)."""
    state, reference = onnx.encoder_state(3), small_model.encoder_state(3)
    played, expected_state = onnx.decoder_state(3), small_model.decoder_state(3)
    for step, (frames, go, anew) in enumerate(plan):
        rows = torch.tensor([bool(anew >> row & 1) for row in range(3)])
        for each in (state, reference, played, expected_state):
            each.reset(rows)
        active = torch.tensor([bool(go >> row & 1) for row in range(3)])
        chunk = noise(3, 1, frames * FRAME, seed=seed * 100 + step)
        chunk[~active] = float("nan")  # what an idle row is given is ignored
        codes, state = onnx.encode_step(chunk, state, active)
        expected, reference = small_model.encode_step(chunk, reference, active)
        assert torch.equal(codes, expected)
        sound, played = onnx.decode_step(codes, played, active)
        heard, expected_state = small_model.decode_step(codes, expected_state, active)
        assert torch.allclose(sound, heard, atol=1e-5)


def test_an_old_state_stays_valid(onnx):
    """A stream can be forked and replayed."""
    audio = noise(1, 1, 60 * FRAME)
    _, fork = onnx.encode_step(audio[..., : 40 * FRAME], onnx.encoder_state())
    rest = audio[..., 40 * FRAME :]
    first, _ = onnx.encode_step(rest, fork)
    onnx.encode_step(noise(1, 1, 20 * FRAME, seed=9), fork)
    again, _ = onnx.encode_step(rest, fork)
    assert torch.equal(first, again)


@pytest.mark.parametrize("frames", [1, 7, STEP_FRAMES + 3])
def test_sessions(small_model, onnx, frames):
    """They write over their own state, and nobody else's."""
    audio = noise(1, 1, 70 * FRAME + 77)
    expected = small_model.encode(audio)
    others = [onnx.stream_encoder(), onnx.stream_decoder()]
    for _ in range(2):  # a flushed session is as new
        encoder, decoder = others
        codes, sound = [], []
        for piece in audio.split(frames * FRAME - 5, dim=2):
            codes.append(encoder.push(piece))
            sound.append(decoder.push(codes[-1]))
        codes.append(encoder.flush())
        sound.append(decoder.push(codes[-1], samples=encoder.samples))
        decoder.flush()
        assert torch.equal(torch.cat(codes, dim=2), expected.codes)
        whole = torch.cat(sound, dim=2)
        assert torch.allclose(whole, small_model.decode(expected), atol=1e-5)


@pytest.mark.parametrize("hours", [1, 72, 20_000])
def test_a_stream_is_the_same_at_any_hour(small_model, onnx, hours):
    """Once all that it hears is new: four stages see 15 frames each."""
    audio = noise(1, 1, 75 * FRAME)
    state = onnx.encoder_state()
    state.positions = state.positions + int(hours * 3600 * 12.5)
    codes, _ = onnx.encode_step(audio, state)
    assert torch.equal(codes[..., 60:], small_model.encode(audio).codes[..., 60:])


def test_long_recordings_are_worked_off_in_steps(small_model, onnx):
    audio = noise(2, 1, (LONG_FRAMES + 40) * FRAME + 5)
    lengths = torch.tensor([audio.shape[2], 30 * FRAME + 1])
    expected, got = small_model.encode(audio, lengths), onnx.encode(audio, lengths)
    assert torch.equal(got.codes, expected.codes)
    decoded = onnx.decode(got)
    assert torch.allclose(decoded, small_model.decode(expected), atol=1e-5)
    assert decoded[1, :, 30 * FRAME + 1 :].eq(0).all()


def test_stereo(stereo_model, onnx_stereo):
    audio = noise(2, 2, 30 * stereo_model.frame_size + 11)
    expected, got = stereo_model.encode(audio), onnx_stereo.encode(audio)
    assert torch.equal(got.codes, expected.codes)
    assert torch.allclose(onnx_stereo.decode(got), stereo_model.decode(expected), atol=1e-5)
    session = onnx_stereo.stream_encoder(2)
    codes = [session.push(piece) for piece in audio.split(999, dim=2)]
    assert torch.equal(torch.cat([*codes, session.flush()], dim=2), expected.codes)


def test_latents(small_model, onnx):
    codes = small_model.encode(noise(2, 1, 9 * FRAME)).codes[:, :5]
    assert torch.allclose(onnx.embed(codes), small_model.embed(codes), atol=1e-5)


def test_numpy_arrays_are_taken(small_model, onnx):
    audio = noise(1, 1, 3 * FRAME).numpy()
    codes = onnx.encode(audio).codes
    assert torch.equal(codes, small_model.encode(audio).codes)
    assert np.allclose(onnx.decode(codes.numpy()), small_model.decode(codes), atol=1e-5)
