import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from catok.training.codec.discriminators.band_stft import BandStftDiscriminator
from catok.training.codec.discriminators.ensemble import (
    DiscriminatorConfig,
    Discriminators,
    preprocess,
)
from catok.training.codec.discriminators.period import PeriodDiscriminator, reflect_right
from catok.training.codec.losses.adversarial import discriminator_loss, generator_loss
from catok.training.codec.losses.feature_matching import feature_matching_loss

TOY = DiscriminatorConfig(
    periods=(2, 3), fft_sizes=(128, 64), period_channels=(4, 8, 8), band_channels=4
)


@pytest.fixture
def judge():
    torch.manual_seed(0)
    return Discriminators(TOY)


def size(module):
    return sum(p.numel() for p in module.parameters())


def noise(*shape, seed=0):
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_full_size_by_hand():
    with torch.device("meta"):
        full = Discriminators(DiscriminatorConfig.preset("full"))
    # per convolution: weights, then a gain and a bias per output channel
    period = (
        (1 * 32 * 5 + 2 * 32)
        + (32 * 128 * 5 + 2 * 128)
        + (128 * 512 * 5 + 2 * 512)
        + (512 * 1024 * 5 + 2 * 1024)
        + (1024 * 1024 * 5 + 2 * 1024)
        + (1024 * 1 * 3 + 2)
    )
    band = (2 * 32 * 27 + 2 * 32) + 3 * (32 * 32 * 27 + 2 * 32) + (32 * 32 * 9 + 2 * 32)
    assert size(full.periods) == 5 * period == 41_105_770
    assert size(full.bands) == 3 * (5 * band + 32 * 9 + 2) == 1_413_990


def test_small_is_a_tenth_of_full():
    with torch.device("meta"):
        small = Discriminators(DiscriminatorConfig.preset("small"))
    assert 2_500_000 < size(small) < 4_252_000
    assert (len(small.periods), len(small.bands)) == (5, 3)


def test_shapes_of_a_period():
    maps = PeriodDiscriminator(5, (4, 8, 6, 6))(noise(2, 1, 998))
    # 998 samples: 200 rows of 5, strides 3, 3, 3, 1
    assert [list(m.shape) for m in maps] == [
        [2, 4, 67, 5],
        [2, 8, 23, 5],
        [2, 6, 8, 5],
        [2, 6, 8, 5],
        [2, 1, 8, 5],
    ]


def test_a_period_sees_its_own_columns_only():
    audio = noise(1, 1, 300)
    other = audio.clone()
    other[..., 1::3] += 1
    net = PeriodDiscriminator(3, (4, 8))
    for before, after in zip(net(audio), net(other), strict=True):
        changed = (before != after).flatten(0, 2).any(0)
        assert changed.tolist() == [False, True, False]


def test_shapes_of_bands():
    maps = BandStftDiscriminator(128, 4)(noise(2, 1, 640))
    # 21 frames; 65 bins cut at 6, 16, 32, 48; each stack halves its bins three times, rounding up
    assert len(maps) == 5 * 5 + 1
    assert [m.shape[3] for m in maps[4:25:5]] == [1, 2, 2, 2, 3]
    assert list(maps[5].shape) == [2, 4, 21, 10]
    assert list(maps[-1].shape) == [2, 1, 21, 10]


def test_the_spectrogram_is_the_fourier_transform_of_windowed_frames():
    net = BandStftDiscriminator(64, 4)
    audio = noise(1, 1, 640)
    frame = audio[0, 0, 160 - 32 : 160 + 32] * torch.hann_window(64)
    expected = torch.view_as_real(torch.fft.rfft(frame)).T
    torch.testing.assert_close(net.spectrogram(audio)[0, :, 10], expected, atol=1e-5, rtol=1e-4)


def test_reflection_goes_to_and_fro():
    x = torch.tensor([1.0, 2.0, 3.0])
    assert reflect_right(x, 7).tolist() == [1, 2, 3, 2, 1, 2, 3, 2, 1, 2]
    assert reflect_right(x[:1], 3).tolist() == [1, 1, 1, 1]
    assert reflect_right(x, 0).tolist() == reflect_right(x, -1).tolist() == [1, 2, 3]
    long = noise(1, 1, 20)
    assert torch.equal(reflect_right(long, 6), torch.nn.functional.pad(long, (0, 6), "reflect"))


def test_one_list_of_maps_per_discriminator_and_channels_judged_alone(judge):
    audio = noise(2, 3, 400)
    together = judge(audio)
    assert [len(maps) for maps in together] == [4, 4, 26, 26]
    assert all(m.shape[0] == 6 for maps in together for m in maps)
    alone = judge(audio[1:, 2:])
    for all_rows, row in zip(together, alone, strict=True):
        torch.testing.assert_close(all_rows[-1][5:], row[-1])


@pytest.mark.parametrize("length", [1, 2, 7, 33, 64, 129])
def test_short_audio(judge, length):
    audio = noise(2, 1, length).requires_grad_()
    fake = judge(audio)
    assert all(m.numel() and torch.isfinite(m).all() for maps in fake for m in maps)
    generator_loss(fake).backward()
    assert torch.isfinite(audio.grad).all()


def test_blind_to_offset_and_gain(judge):
    audio = noise(2, 1, 1000)
    plain, moved = judge(audio), judge(audio * 3 + 0.2)
    for one, other in zip(plain, moved, strict=True):
        torch.testing.assert_close(one[-1], other[-1], atol=1e-5, rtol=1e-3)
    rows = preprocess(audio * 3 + 0.2)
    torch.testing.assert_close(rows.abs().amax(-1), torch.full((2, 1), 0.8))
    torch.testing.assert_close(rows.mean(-1), torch.zeros(2, 1), atol=1e-6, rtol=0)


def test_silence_has_modest_gradients(judge):
    audio = torch.zeros(1, 1, 500, requires_grad=True)
    generator_loss(judge(audio)).backward()
    assert audio.grad.abs().max() < 1000


def test_gradients_reach_every_sample_and_parameter(judge):
    audio = noise(2, 2, 600).requires_grad_()
    real = judge(noise(2, 2, 600, seed=1))
    fake = judge(audio)
    (generator_loss(fake) + feature_matching_loss(real, fake)).backward()
    assert torch.isfinite(audio.grad).all()
    assert (audio.grad != 0).float().mean() > 0.99
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in judge.parameters())


def test_learns_to_tell_a_sine_from_noise(judge):
    draw = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3, betas=(0.8, 0.99))
    losses = []
    for _ in range(12):
        phase = 6.3 * torch.rand(4, 1, 1, generator=draw)
        sine = torch.sin(0.2 * torch.arange(512) + phase)
        real, fake = judge(sine), judge(torch.randn(4, 1, 512, generator=draw))
        loss = discriminator_loss(real, fake)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[2] < losses[0]  # two steps
    assert losses[-1] < 0.8 * losses[0]
    assert all(x[-1].mean() > xhat[-1].mean() for x, xhat in zip(real, fake, strict=True))


def test_save_and_load(judge, tmp_path):
    folder = tmp_path / "new" / "folder"
    judge.save_pretrained(folder)
    assert len(list(folder.iterdir())) == 2
    loaded = Discriminators.from_pretrained(folder)
    assert loaded.config == TOY
    audio = noise(1, 1, 300)
    for one, other in zip(judge(audio), loaded(audio), strict=True):
        assert torch.equal(one[-1], other[-1])
    judge.save_pretrained(folder, dtype=torch.float16)
    half = Discriminators.from_pretrained(folder).state_dict()
    for name, weight in judge.state_dict().items():
        assert half[name].dtype == torch.float32
        assert torch.equal(half[name], weight.half().float())


def test_a_tokenizers_folder_keeps_its_files(judge, tmp_path):
    (tmp_path / "config.json").write_text("tokenizer")
    judge.save_pretrained(tmp_path)
    assert (tmp_path / "config.json").read_text() == "tokenizer"


def test_damaged_folders(judge, tmp_path):
    def refused(match):
        with pytest.raises(ValueError, match=match):
            Discriminators.from_pretrained(tmp_path)

    refused("discriminators.json")
    judge.save_pretrained(tmp_path)
    config, weights = tmp_path / "discriminators.json", tmp_path / "discriminators.safetensors"
    good, bytes_ = json.loads(config.read_text()), weights.read_bytes()

    config.write_text(json.dumps(good)[:-3])
    refused("discriminators.json is not valid JSON")
    config.write_text(json.dumps({**good, "format": 2}))
    refused("format 2")
    config.write_text(json.dumps({**good, "more": 1}))
    refused("unknown keys")
    config.write_text(json.dumps({**good, "discriminators": {"periods": [2, 3]}}))
    refused("missing keys")
    config.write_text(
        json.dumps({**good, "discriminators": {**good["discriminators"], "band_channels": 5}})
    )
    refused("do not belong")
    config.write_text(json.dumps(good))

    weights.write_bytes(bytes_[:-4])
    refused("safetensors cannot be read")
    weights.unlink()
    refused("cannot read .*safetensors")
    weights.write_bytes(bytes_)
    tensors = load_file(weights)
    name = next(iter(tensors))
    save_file({key: value for key, value in tensors.items() if key != name}, weights)
    refused("do not belong")
    save_file({**tensors, "stranger": torch.zeros(1)}, weights)
    refused("do not belong")
    weights.write_bytes(bytes_)
    Discriminators.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"periods": (), "fft_sizes": ()},
        {"period_channels": ()},
        {"periods": (2, 0)},
        {"band_channels": 0},
        {"fft_sizes": (16,)},
        {"fft_sizes": (130,)},
    ],
)
def test_impossible_configurations(changes):
    settings = {
        "periods": (2,),
        "fft_sizes": (64,),
        "period_channels": (4,),
        "band_channels": 4,
    }
    DiscriminatorConfig(**settings)
    with pytest.raises(ValueError):
        DiscriminatorConfig(**{**settings, **changes})


def test_wrong_audio_and_unknown_presets(judge):
    for shape in ((4, 100), (1, 1, 0)):
        with pytest.raises(ValueError, match="must be"):
            judge(torch.zeros(shape))
    with pytest.raises(ValueError, match="full.*small"):
        DiscriminatorConfig.preset("huge")
