"""Models that only recognise carry no heads for codes."""

from dataclasses import replace

import pytest
import torch

from catok.lm.model import TokenLM
from tests.lm.conftest import build, small_config


@pytest.fixture
def pair():
    """A whole model, and the same without audio heads."""
    whole = build(small_config())
    listener = TokenLM(replace(whole.config, audio_heads=False)).eval()
    kept = {k: v for k, v in whole.state_dict().items() if k in listener.state_dict()}
    listener.load_state_dict(kept)
    return whole, listener


def rows(text_only):
    codes = torch.randint(16, (2, 7, 5), generator=torch.Generator().manual_seed(1))
    labels = codes.clone()
    if text_only:
        labels[..., 1:] = -100
    return codes, labels


def test_text_is_the_same_without_audio_heads(pair, tmp_path):
    whole, listener = pair
    lost = set(whole.state_dict()) - set(listener.state_dict())
    assert lost and all(name.startswith("heads.channels.") for name in lost)
    codes, labels = rows(text_only=True)
    expected = whole.loss(codes, labels).losses["loss"]
    assert torch.equal(listener.loss(codes, labels).losses["loss"], expected)
    listener.save_pretrained(tmp_path)
    loaded = TokenLM.from_pretrained(tmp_path)
    assert not loaded.config.audio_heads
    hidden, _ = loaded.temporal(codes)
    torch.testing.assert_close(loaded.text_logits(hidden[:, -1]), whole.text_logits(hidden[:, -1]))


def test_codes_cannot_be_predicted_without_audio_heads(pair):
    _, listener = pair
    with pytest.raises(ValueError, match="no audio heads"):
        listener.loss(*rows(text_only=False))
