"""The golden checkpoint, and a small random model whose choices are not all alike."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from catok.lm.config import LanguageConfig, TokenLMConfig
from catok.lm.model import TokenLM
from catok.lm.prompt import PromptBuilder
from catok.lm.text import ByteTokenizer

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden" / "tts-local-a"


def small_config(**changes) -> TokenLMConfig:
    """Four codebooks of 16, bytes for text, two layers each way."""
    settings = {
        "n_vq": 4,
        "audio_vocab_size": 16,
        "audio_pad_code": 16,
        "local_num_layers": 2,
        "local_hidden_size": 24,
        "local_ffn_hidden_size": 32,
        "additional_mlp_ffn_hidden_size": 16,
        "initializer_range": 0.3,
        "pad_token_id": 0,
        "im_start_token_id": 1,
        "im_end_token_id": 2,
        "audio_start_token_id": 3,
        "audio_end_token_id": 4,
        "audio_user_slot_token_id": 5,
        "audio_assistant_gen_slot_token_id": 6,
        "audio_assistant_delay_slot_token_id": 7,
        "language_config": LanguageConfig(
            vocab_size=264,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=8,
            max_position_embeddings=512,
        ),
    }
    return TokenLMConfig(**(settings | changes))


def build(config: TokenLMConfig, seed: int = 0) -> TokenLM:
    """Random weights; norms and pad rows are made to matter."""
    torch.manual_seed(seed)
    model = TokenLM(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.uniform_(0.5, 1.5)
        for module in model.modules():
            if isinstance(module, nn.Embedding):
                module.weight.normal_(std=0.3)
    return model


def golden_array(name: str) -> torch.Tensor:
    """One of the golden arrays."""
    return torch.from_numpy(np.load(GOLDEN / f"{name}.npy"))


def random_tokens(config: TokenLMConfig, batch: int, length: int, seed: int = 0) -> torch.Tensor:
    """Rows `[B, T, 1 + n_vq]` of anything."""
    generator = torch.Generator().manual_seed(seed)
    text = torch.randint(config.vocab_size, (batch, length, 1), generator=generator)
    shape = (batch, length, config.n_vq)
    codes = torch.randint(config.audio_vocab_size + 1, shape, generator=generator)
    return torch.cat([text, codes], dim=2)


@pytest.fixture(scope="session")
def golden() -> TokenLM:
    """The golden checkpoint; do not change it in a test."""
    return TokenLM.from_pretrained(GOLDEN)


@pytest.fixture(scope="session")
def small() -> TokenLM:
    """A small random model; do not change it in a test."""
    return build(small_config())


@pytest.fixture(scope="session")
def prompt_builder(small) -> PromptBuilder:
    """Prompts for `small`."""
    return PromptBuilder(small.config, ByteTokenizer(small.config))
