"""Every bad input: a ValueError that names the fix, and nothing silently wrong."""

from contextlib import nullcontext

import numpy as np
import pytest
import soundfile
import torch

from catok import load_audio

FRAME = 1920
GOOD = torch.zeros(1, 1, 4000)


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (torch.zeros(1, 1, 0), "audio is empty"),
        (torch.zeros(0, 1, 100), "audio is empty"),
        (torch.full((1, 1, 100), float("nan")), "NaN or infinite"),
        (torch.full((1, 1, 100), float("inf")), "NaN or infinite"),
        (torch.zeros(1, 1, 100, dtype=torch.int16), "divide by full scale"),
        (torch.zeros(1, 1, 100, dtype=torch.int64), "divide by full scale"),
        (torch.zeros(1, 1, 100, dtype=torch.float64), r"call audio.float\(\)"),
        (torch.zeros(1, 1, 100, dtype=torch.float16), r"call audio.float\(\)"),
        (torch.zeros(1, 2, 100), "takes 1 channel"),
        (torch.zeros(2, 100), r"one recording \[C, T\] is audio\[None\]"),
        (torch.zeros(100), r"one mono recording are audio\[None, None\]"),
        (np.zeros(100, dtype=np.float32), r"one mono recording are audio\[None, None\]"),
        (torch.zeros(1, 1, 1, 100), "take away the axes"),
        ([0.0, 1.0], "torch tensor or a NumPy array, got list"),
        (np.zeros((1, 1, 100)), r'audio.astype\("float32"\)'),
        (np.zeros((1, 1, 100), dtype=">f4"), "NumPy type >f4"),
        (np.array([["a"]]), "NumPy type <U1"),
        (torch.full((1, 1, 4000), -20_000.0), "samples of 20000, full scale is 1: divide"),
        (np.full((1, 1, 4000), 20_000, dtype=np.float32), "divide it by the full scale"),
    ],
)
def test_audio(small_model, audio, message):
    with pytest.raises(ValueError, match=message):
        small_model.encode(audio)
    with pytest.raises(ValueError, match=message):
        small_model.encode_step(audio, small_model.encoder_state(1))


@pytest.mark.parametrize("absurd", [1e30, -1e30, 32_767.0, float("nan"), float("inf")])
def test_one_absurd_sample_is_refused_and_touches_nothing(small_model, absurd):
    """It would overflow inside the model and change codes of frames before it."""
    audio = torch.randn(2, 1, 6 * FRAME, generator=torch.Generator().manual_seed(0)) * 0.2
    bad = audio.clone()
    bad[1, 0, 4 * FRAME] = absurd
    expected = small_model.encode(audio).codes
    with pytest.raises(ValueError, match="audio (has samples of|holds NaN)"):
        small_model.encode(bad)
    with pytest.raises(ValueError, match="audio (has samples of|holds NaN)"):
        small_model.encode_step(bad, small_model.encoder_state(2))
    session = small_model.stream_encoder(2)
    first = session.push(audio[..., :3000])
    with pytest.raises(ValueError, match="audio (has samples of|holds NaN)"):
        session.push(bad[..., 3000:])
    rest = [session.push(audio[..., 3000:]), session.flush()]
    assert torch.equal(torch.cat([first, *rest], dim=2), expected)
    lengths = [6 * FRAME, 4 * FRAME]  # padding may hold anything
    assert torch.equal(small_model.encode(bad, lengths).codes[0], expected[0])


@pytest.mark.parametrize(("peak", "taken"), [(999.0, True), (1001.0, False)])
def test_files_and_tensors_have_one_limit(small_model, tmp_path, peak, taken):
    audio = torch.full((1, 1, 200), peak)
    soundfile.write(tmp_path / "x.wav", audio[0, 0].numpy(), 24_000, subtype="FLOAT")
    for call in (lambda: load_audio(tmp_path / "x.wav"), lambda: small_model.encode(audio)):
        with nullcontext() if taken else pytest.raises(ValueError, match="has samples of 1001"):
            call()


def test_what_is_loud_but_may_be_a_recording_is_encoded(small_model):
    loud = torch.zeros(1, 1, FRAME)
    loud[..., 7] = 1000.0
    assert small_model.decode(small_model.encode(loud)).isfinite().all()


def test_one_bad_sample_late_in_a_long_recording(small_model):
    audio = torch.zeros(1, 1, 300 * FRAME)
    audio[..., -1] = float("nan")
    with pytest.raises(ValueError, match="NaN or infinite"):
        small_model.encode(audio)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        (torch.tensor([4001]), "from 1 to the 4000 samples"),
        (torch.tensor([0]), "from 1 to the 4000 samples"),
        (torch.tensor([4000, 4000]), r"shape \[1\]"),
        (torch.tensor([4000.0]), "whole numbers"),
        ([None], "one number per row"),
    ],
)
def test_lengths(small_model, lengths, message):
    with pytest.raises(ValueError, match=message):
        small_model.encode(GOOD, lengths)


@pytest.mark.parametrize("wanted", [0, -1, 9, 2.5, True])
def test_numbers_of_quantizers(small_model, wanted):
    with pytest.raises(ValueError, match="num_quantizers"):
        small_model.encode(GOOD, num_quantizers=wanted)
    with pytest.raises(ValueError, match="num_quantizers"):
        small_model.decode(small_model.encode(GOOD), wanted)
    with pytest.raises(ValueError, match="num_quantizers"):
        small_model.stream_encoder(num_quantizers=wanted)


def test_decoding_more_codebooks_than_the_codes_hold(small_model):
    with pytest.raises(ValueError, match="from 1 to 3, got 4"):
        small_model.decode(torch.zeros(1, 3, 5, dtype=torch.int64), 4)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (torch.full((1, 8, 2), 64), "valid are 0 to 63"),
        (torch.full((1, 8, 2), -1), "valid are 0 to 63"),
        (torch.zeros(1, 9, 2, dtype=torch.int64), "9 codebooks, the model has 8"),
        (torch.zeros(32, 31, 2, dtype=torch.int64), r"codes.transpose\(0, 1\)"),
        (torch.zeros(8, 2, dtype=torch.int64), r"shape \[B, K, F\].*are codes\[None\]"),
        (torch.zeros(1, 8, 0, dtype=torch.int64), r"shape \[B, K, F\]"),
        (torch.zeros(1, 8, 2, dtype=torch.int32), r"codes.long\(\)"),
        (torch.zeros(1, 8, 2), r"codes.long\(\)"),
        ([[0]], "torch tensor or a NumPy array, got list"),
        (np.zeros((1, 8, 2), dtype=np.int32), r'codes.astype\("int64"\)'),
        (np.full((1, 8, 2), 64), "valid are 0 to 63"),
    ],
)
def test_codes(small_model, codes, message):
    for call in (
        small_model.decode,
        small_model.embed,
        lambda c: small_model.decode_step(c, small_model.decoder_state(len(c))),
    ):
        with pytest.raises(ValueError, match=message):
            call(codes)


def test_steps(small_model):
    state = small_model.encoder_state(1)
    with pytest.raises(ValueError, match=r"whole frames of 1920 samples, got 100.*stream_encoder"):
        small_model.encode_step(torch.zeros(1, 1, 100), state)
    with pytest.raises(ValueError, match="state has 1 rows, the chunk 2"):
        small_model.encode_step(torch.zeros(2, 1, FRAME), state)
    for active in (torch.tensor([1]), torch.tensor([True, True])):
        with pytest.raises(ValueError, match=r"active must be bool of shape \[1\]"):
            small_model.encode_step(torch.zeros(1, 1, FRAME), state, active)
    for batch in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="batch_size must be"):
            small_model.decoder_state(batch)


def test_sessions(small_model):
    with pytest.raises(ValueError, match="batch_size must be"):
        small_model.stream_encoder(0)
    for piece in (torch.zeros(2, 1, 0), torch.zeros(2, 1, 100)):
        with pytest.raises(ValueError, match="the session has 1 rows, got 2"):
            small_model.stream_encoder().push(piece)
    for codes in (torch.zeros(2, 8, 0, dtype=torch.int64), torch.zeros(2, 8, 1, dtype=torch.int64)):
        with pytest.raises(ValueError, match="the session has 1 rows, got 2"):
            small_model.stream_decoder().push(codes)
    for bad in ([0.0], "audio", None):
        with pytest.raises(ValueError, match="torch tensor or a NumPy array"):
            small_model.stream_encoder().push(bad)
        with pytest.raises(ValueError, match="torch tensor or a NumPy array"):
            small_model.stream_decoder().push(bad)
    for samples in (-1, 1.5, True):
        with pytest.raises(ValueError, match="samples is the length"):
            small_model.stream_decoder(samples=samples)
    player = small_model.stream_decoder()
    player.push(torch.zeros(1, 8, 2, dtype=torch.int64))
    for samples in (2 * FRAME - 1, 1.5, True):
        with pytest.raises(ValueError, match="of which 3840 were returned"):
            player.push(torch.zeros(1, 8, 1, dtype=torch.int64), samples=samples)
    assert player.samples == 2 * FRAME


def test_a_stream_that_belongs_to_the_other_half(small_model):
    """Both may have the same shapes: only their origin tells them apart, after a step, too."""
    codes = torch.zeros(2, 8, 1, dtype=torch.int64)
    _, state = small_model.decode_step(codes, small_model.decoder_state(2))
    for each in (state, state.join([state.row(0), state.row(1)])):
        with pytest.raises(ValueError, match=r"no state of the encoder: begin with encoder_state"):
            small_model.encode_step(torch.zeros(2, 1, FRAME), each)
    with pytest.raises(ValueError, match=r"no state of the decoder: begin with decoder_state\(\)"):
        small_model.decode_step(codes, small_model.encoder_state(2))
