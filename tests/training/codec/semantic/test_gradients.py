"""The text's gradient in a codec: through the straight-through codes, within a row's prefix."""

import torch

from catok.tokenizer.model import CodecModel
from catok.training.codec.semantic.head import SemanticHead
from catok.training.codec.semantic.semantic_config import SemanticConfig
from tests.training.codec.semantic.conftest import SIZES, noise


def chain(small_config, depths, texts):
    """Gradients of a text loss alone, after audio -> encoder -> quantizer -> head."""
    torch.manual_seed(0)
    codec = CodecModel(small_config, part="encoder")
    head = SemanticHead(SemanticConfig(**SIZES), small_config.quantizer.input_dim)
    audio = noise(len(texts), 1, 3 * codec.frame_size)
    latents = codec.encoder(codec.interleave(audio)).float()
    quantized = codec.quantizer(latents, torch.tensor(depths))
    lengths = torch.full((len(texts),), 3)
    head(quantized.latents, lengths, texts, ["asr"] * len(texts)).loss.backward()
    return codec


def reached(codec):
    """Which codebooks the gradient reached."""
    return [
        any(p.grad is not None and p.grad.any().item() for p in book.parameters())
        for book in codec.quantizer.codebooks
    ]


def test_reaches_every_weight_of_the_encoder(small_config):
    codec = chain(small_config, [8, 8], ["cat", "dog"])
    for name, parameter in codec.encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name
    assert codec.quantizer.input_proj.bias.grad.any()
    assert reached(codec) == [True] * 8


def test_stops_at_each_rows_prefix(small_config):
    assert reached(chain(small_config, [3, 8], ["cat", None])) == [True] * 3 + [False] * 5
    assert reached(chain(small_config, [3, 5], ["cat", "dog"])) == [True] * 5 + [False] * 3
    assert reached(chain(small_config, [3, 8], [None, None])) == [False] * 8
