"""Channels: ITU downmixes by number of channels, means, choices."""

import math

import numpy as np
import pytest
import soundfile
import torch

from catok.audio import load_audio, mix, save_audio

from .conftest import noise, write

ROOT = 0.5**0.5


def test_repetition_and_means(tmp_path):
    stereo = noise(2, 10)
    assert torch.equal(mix(stereo, 2), stereo)
    assert torch.equal(mix(stereo, 1)[0], (stereo[0] + stereo[1]) / 2)
    assert torch.equal(mix(stereo[:1], 2), torch.stack([stereo[0], stereo[0]]))
    batch = noise(3, 20).reshape(3, 1, 20)
    assert torch.equal(mix(batch, 2), torch.cat([batch, batch], dim=1))
    assert torch.equal(mix(noise(12, 20), 1), noise(12, 20).mean(0, keepdim=True))

    assert torch.equal(mix(stereo.numpy(), 1), mix(stereo, 1))

    path = write(tmp_path / "stereo.wav", stereo, 24000)
    assert torch.equal(load_audio(path, channels=1)[0], mix(stereo, 1))
    path = write(tmp_path / "mono.wav", stereo[:1], 24000)
    assert torch.equal(load_audio(path, channels=2)[0], mix(stereo[:1], 2))


@pytest.mark.parametrize(
    ("have", "left"),
    [
        (3, [1, 0, ROOT]),
        (4, [1, 0, ROOT, 0]),
        (5, [1, 0, ROOT, ROOT, 0]),
        (6, [1, 0, ROOT, 0, ROOT, 0]),
        (7, [1, 0, ROOT, 0, 0.5, ROOT, 0]),
        (8, [1, 0, ROOT, 0, ROOT, 0, ROOT, 0]),
    ],
)
def test_surround_becomes_stereo_and_mono_by_the_itu_weights(have, left):
    """L R C LFE and surrounds: center and surrounds at -3 dB, no LFE, scaled so nothing clips."""
    audio = torch.eye(have)[None]  # one channel after the other is 1
    stereo, mono = mix(audio, 2)[0], mix(audio, 1)[0, 0]
    torch.testing.assert_close(stereo[0], torch.tensor(left) / sum(left))
    right = [0, 1, *left[2:]]
    if have >= 4:  # surrounds change sides
        first = {4: 2, 5: 3, 6: 4, 7: 5, 8: 4}[have]
        for place in range(first, have, 2):
            right[place], right[place + 1] = left[place + 1], left[place]
    torch.testing.assert_close(stereo[1], torch.tensor(right) / sum(right))
    both = torch.tensor(left) + torch.tensor(right)
    torch.testing.assert_close(mono, both / both.sum())
    assert mix(torch.ones(1, have, 5), 2).max() <= 1 + 1e-6


def test_other_downmixes():
    audio = noise(6, 20)
    assert torch.equal(mix(audio, 2, "first"), audio[:2])
    assert torch.equal(mix(audio, 1, "mean"), audio.mean(0, keepdim=True))
    assert torch.equal(mix(audio, 2, "mean"), audio.mean(0, keepdim=True).expand(2, -1))
    with pytest.raises(ValueError, match="downmix must be one of .*'itu'.* got 'loud'"):
        mix(audio, 2, "loud")  # type: ignore[arg-type]


def test_channels_are_chosen_while_reading(tmp_path):
    audio = noise(6, 100)
    path = write(tmp_path / "six.wav", audio, 24000)
    assert torch.equal(load_audio(path, select=[4, 1])[0], audio[[4, 1]])
    assert torch.equal(load_audio(path, channels=2, select=[3])[0], audio[[3, 3]])
    for wrong in ([6], [-1], []):
        with pytest.raises(ValueError, match="six.wav has 6 channels, from 0 to 5"):
            load_audio(path, select=wrong)


def test_impossible_mixes_say_what_is_possible():
    for have, want, choice in (
        (2, 3, "2 or 1"),
        (6, 3, "6, 2 or 1"),
        (12, 2, "12 or 1"),
        (2, 0, "2 or 1"),
    ):
        message = f"of {have} channels into {want}: choose {choice}"
        with pytest.raises(ValueError, match=message):
            mix(noise(have, 5), want)
    with pytest.raises(ValueError, match=r"add C with `audio\[None\]`"):
        mix(torch.zeros(10), 1)


def test_a_tone_in_the_center_keeps_its_shape():
    tone = torch.sin(2 * math.pi * 440 * torch.arange(2400) / 24000)
    audio = torch.zeros(6, 2400)
    audio[2] = tone
    stereo = mix(audio, 2)
    assert torch.equal(stereo[0], stereo[1])
    torch.testing.assert_close(stereo[0], tone * ROOT / (1 + 2 * ROOT))


@pytest.mark.parametrize("suffix", ["flac", "ogg", "opus"])
@pytest.mark.parametrize("channels", [3, 5, 6, 7, 8])
def test_channels_keep_their_places_in_every_format(tmp_path, suffix, channels):
    """Vorbis and Opus store center, surround and LFE in an order of their own."""
    audio = torch.zeros(channels, 24_000)
    tones = [300 + 200 * channel for channel in range(channels)]
    if channels > 5:
        tones[3] = 60  # the LFE channel, which codecs filter
    for channel, tone in enumerate(tones):
        audio[channel] = 0.3 * torch.sin(2 * math.pi * tone * torch.arange(24_000) / 24_000)
    save_audio(tmp_path / f"x.{suffix}", audio, 24_000)
    loaded, _ = load_audio(tmp_path / f"x.{suffix}")
    assert torch.fft.rfft(loaded).abs().argmax(dim=1).tolist() == tones


def test_vorbis_by_another_hand(tmp_path):
    audio = np.zeros((24_000, 6), dtype=np.float32)
    audio[:, 1] = 0.5 * np.sin(np.arange(24_000) / 20)  # the second of Vorbis is the center
    soundfile.write(tmp_path / "x.ogg", audio, 24_000)
    loaded, _ = load_audio(tmp_path / "x.ogg")
    assert loaded.std(dim=1).argmax() == 2
