"""Tables of codes that add up to the codec's latents."""

import pytest
import torch

from catok import CausalAudioTokenizer, TokenizerConfig
from catok.lm.config import TokenLMConfig
from catok.lm.model import TokenLM
from catok.training.lm.init_from_codec import initialize_codes, projection
from tests.lm.conftest import small_config


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return TokenLM(small_config(n_vq=8, audio_vocab_size=64, audio_pad_code=64))


@pytest.mark.parametrize("how", ["principal", "random"])
def test_a_frames_sum_is_its_latent_but_for_a_constant(codec, model, how):
    text = model.embedding.tables[0].weight.detach().clone()
    matrix = initialize_codes(model, codec, how, draw())
    codes = torch.randint(64, (3, 8, 20), generator=draw(1))
    for depth in (1, 5, 8):
        rows = torch.zeros(3, 20, 9, dtype=torch.int64)
        rows[..., 1:] = codes.transpose(1, 2)
        with torch.no_grad():
            summed = model.embedding(rows, depth) - text[0]
        latents = codec.embed(codes[:, :depth]).transpose(1, 2) @ matrix
        difference = (summed - latents).flatten(0, 1)
        assert float(difference.std(dim=0).max()) < 1e-5
        assert float(summed.flatten(0, 1).std(dim=0).mean()) > 0.1
    assert torch.equal(model.embedding.tables[0].weight, text)
    tables = [table.weight.detach() for table in list(model.embedding.tables)[1:]]
    rows = torch.stack([table[:64] for table in tables])
    assert float(rows.square().mean().sqrt()) == pytest.approx(0.3, rel=1e-4)
    assert all(bool((table[64] == 0).all()) for table in tables)


def test_heads_begin_with_the_same_geometry(codec, model):
    pads = [head.linear.weight[64].detach().clone() for head in list(model.heads.channels)[1:]]
    text = model.heads.channels[0].linear.weight.detach().clone()
    initialize_codes(model, codec, "principal", draw())
    for channel in range(1, 9):
        table = model.embedding.tables[channel].weight[:64].detach()
        head = model.heads.channels[channel].linear.weight.detach()
        assert float(head[:64].square().mean().sqrt()) == pytest.approx(0.3, rel=1e-4)
        scale = float((head[:64] * table).sum() / table.square().sum())
        torch.testing.assert_close(head[:64], scale * table)
        assert torch.equal(head[64], pads[channel - 1])
    assert torch.equal(model.heads.channels[0].linear.weight, text)


def test_principal_directions_keep_distances_that_fit():
    vectors = torch.randn(500, 5, generator=draw()) @ torch.randn(5, 12, generator=draw(1))
    moved = vectors @ projection(vectors, 6, "principal", draw(2))
    torch.testing.assert_close(torch.cdist(moved, moved), torch.cdist(vectors, vectors), atol=1e-2,
                               rtol=1e-3)  # fmt: skip
    narrow = vectors @ projection(vectors, 4, "principal", draw(2))
    random = vectors @ projection(vectors, 4, "random", draw(2))
    lost = [
        float((torch.cdist(v, v) - torch.cdist(vectors, vectors)).abs().mean())
        for v in (narrow, random)
    ]
    assert lost[0] < lost[1]


def test_the_embedded_codec_fits_the_small_presets():
    tok = CausalAudioTokenizer(TokenizerConfig.preset("tiny"))
    for name in ("tts-small", "asr-small"):
        model = TokenLM(TokenLMConfig.preset(name))
        assert initialize_codes(model, tok, "principal", draw()).shape == (256, model.config.width)


def test_other_codes_are_refused(codec):
    with pytest.raises(ValueError, match="do not speak of the same"):
        initialize_codes(TokenLM(small_config()), codec, "random", draw())
