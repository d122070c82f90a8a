"""Heads that train in milliseconds, and a language model's folder without any download."""

import pytest
import torch

from catok.training.codec.semantic.head import SemanticHead
from catok.training.codec.semantic.semantic_config import SemanticConfig

SIZES = {"hidden_size": 32, "layers": 2, "heads": 2, "key_value_heads": 1, "intermediate_size": 64}
DIM = 12


def build_head(seed: int = 0, **changes) -> SemanticHead:
    """Two layers, latents of 12, bytes; weights loud enough for every term to matter."""
    torch.manual_seed(seed)
    head = SemanticHead(SemanticConfig(**(SIZES | changes)), DIM)
    with torch.no_grad():
        for parameter in head.language_model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(4)
    return head


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def head() -> SemanticHead:
    return build_head()


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """A tiny random Qwen2 in bfloat16 with a tokenizer of bytes and a few words, as on the hub."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    folder = tmp_path_factory.mktemp("qwen2")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("c", "a"), ("ca", "t"), ("t", "h"), ("th", "e")]
    words = {piece: i for i, piece in enumerate([*letters, *("".join(m) for m in merges)])}
    pieces = Tokenizer(models.BPE(words, merges))
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=pieces, eos_token="<|endoftext|>")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    config = Qwen2Config(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=64,
        vocab_size=300,
        rope_theta=500_000.0,
        tie_word_embeddings=False,
    )
    Qwen2ForCausalLM(config).bfloat16().save_pretrained(folder)
    return folder


@pytest.fixture
def no_network(monkeypatch):
    """Any attempt to reach the network is noted and refused; there must have been none."""
    attempts = []

    def refuse(*arguments, **_):
        attempts.append(arguments)
        raise OSError("no network in this test")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)
    yield
    assert not attempts
