"""Files of any format and length to `.cat` files and back."""

import io

import pytest
import torch

from catok import Encoded, decode_file, encode_file, load_audio, roundtrip_file, save_audio
from catok.audio import load_crop
from catok.tokenizer import files


@pytest.fixture
def recording(tmp_path):
    """2.6 s of two channels at 22.05 kHz: other than the model's in everything."""
    draw = torch.Generator().manual_seed(0)
    save_audio(tmp_path / "a.flac", torch.rand(2, 57_333, generator=draw) - 0.5, 22_050)
    return tmp_path / "a.flac"


@pytest.fixture(params=[0.3, 10.0])
def blocks(request, monkeypatch):
    """Blocks of much less than a recording, or of more."""
    monkeypatch.setattr(files, "BLOCK_SECONDS", request.param)


def converted(tok, recording, **options):
    return load_audio(recording, sample_rate=tok.sample_rate, channels=tok.channels, **options)[0]


def test_a_file_gives_what_its_audio_gives(small_model, recording, blocks, tmp_path):
    seconds = []
    encoded = encode_file(small_model, recording, tmp_path / "a.cat", report=seconds.append)
    expected = small_model.encode(converted(small_model, recording)[None])
    for found in (encoded, Encoded.load(tmp_path / "a.cat")):
        assert torch.equal(found.codes, expected.codes)
        assert torch.equal(found.sample_lengths, expected.sample_lengths)
    assert sum(seconds) == pytest.approx(float(expected.duration))

    decode_file(small_model, tmp_path / "a.cat", tmp_path / "a.wav")
    decode_file(small_model, encoded, tmp_path / "b.wav")
    assert roundtrip_file(small_model, recording, tmp_path / "c.wav") == float(expected.duration)
    sound = small_model.decode(expected)[0].clamp(-1, 1)
    for name in ("a.wav", "b.wav", "c.wav"):
        audio, rate = load_audio(tmp_path / name)
        assert rate == small_model.sample_rate and audio.shape == sound.shape
        assert torch.allclose(audio, sound, atol=1e-4)  # 16 bits


def test_fewer_codebooks(small_model, recording, tmp_path):
    whole = encode_file(small_model, recording, tmp_path / "a.cat")
    few = encode_file(small_model, recording, num_quantizers=3)
    assert torch.equal(few.codes, whole.codes[:, :3])
    decode_file(small_model, few, tmp_path / "few.wav")
    decode_file(small_model, whole, tmp_path / "cut.wav", num_quantizers=3)
    decode_file(small_model, tmp_path / "a.cat", tmp_path / "read.wav", num_quantizers=3)
    roundtrip_file(small_model, recording, tmp_path / "both.wav", num_quantizers=3)
    names = ("few.wav", "cut.wav", "read.wav", "both.wav")
    first, *others = (load_audio(tmp_path / name)[0] for name in names)
    for audio in others:
        assert torch.allclose(audio, first, atol=1e-4)


def test_channels_can_be_chosen(small_model, recording):
    second = encode_file(small_model, recording, select=[1])
    expected = small_model.encode(converted(small_model, recording, select=[1])[None])
    assert torch.equal(second.codes, expected.codes)
    part = encode_file(small_model, recording, select=[1], offset=0.5, duration=0.5)
    crop = load_crop(recording, 0.5, 0.5, sample_rate=24_000, channels=1, select=[1])
    assert torch.equal(part.codes, small_model.encode(crop[None]).codes)


def test_a_part_of_a_file(small_model, recording):
    part = encode_file(small_model, recording, offset=1.0, duration=0.5)
    assert float(part.duration) == 0.5
    audio = load_crop(recording, 1.0, 0.5, sample_rate=24_000, channels=1)
    assert torch.equal(part.codes, small_model.encode(audio[None]).codes)
    rest = encode_file(small_model, recording, offset=1.0)
    left = converted(small_model, recording).shape[1] - 24_000
    assert int(rest.sample_lengths) == pytest.approx(left, abs=2)  # resampled by itself


def test_file_objects(small_model, recording):
    cat, wav = io.BytesIO(), io.BytesIO()
    expected = encode_file(small_model, io.BytesIO(recording.read_bytes()), cat)
    cat.seek(0)
    decode_file(small_model, cat, wav)
    wav.seek(0)
    assert load_audio(wav)[0].shape[1] == int(expected.sample_lengths)


def test_a_file_is_not_replaced_by_what_is_made_of_it(small_model, recording, tmp_path):
    before = recording.read_bytes()
    (tmp_path / "link.flac").symlink_to(recording)
    for target in (recording, str(recording), tmp_path / "link.flac"):
        with pytest.raises(ValueError, match="is the source and would be replaced"):
            encode_file(small_model, recording, target)
        with pytest.raises(ValueError, match="is the source and would be replaced"):
            roundtrip_file(small_model, recording, target)
    assert recording.read_bytes() == before
    encode_file(small_model, recording, codes := tmp_path / "codes.wav")
    with pytest.raises(ValueError, match="is the source and would be replaced"):
        decode_file(small_model, codes, codes)
    assert Encoded.load(codes)


def test_errors_say_what_to_do_and_leave_no_file(small_model, stereo_model, recording, tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        encode_file(small_model, tmp_path / "none.wav", tmp_path / "none.cat")
    with pytest.raises(ValueError, match="ends before 9 s: check the offset"):
        encode_file(small_model, recording, tmp_path / "none.cat", offset=9.0)
    for part in ({"offset": float("nan")}, {"offset": -1}, {"duration": float("nan")}):
        with pytest.raises(ValueError, match="must be"):
            encode_file(small_model, recording, tmp_path / "none.cat", **part)
    with pytest.raises(ValueError, match="from 1 to 8"):
        encode_file(small_model, recording, tmp_path / "none.cat", num_quantizers=9)
    encoded = encode_file(small_model, recording)
    with pytest.raises(ValueError, match="one by one"):
        decode_file(small_model, Encoded.stack([encoded, encoded]), tmp_path / "none.wav")
    with pytest.raises(ValueError, match="of a model with"):
        decode_file(stereo_model, encoded, tmp_path / "none.wav")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.flac"]
