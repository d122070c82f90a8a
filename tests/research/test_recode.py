"""A speech model on the codes of another version of its tokenizer."""

import json
from copy import deepcopy

import pytest
import torch
from research.recode import main as command
from research.recode import recode, recoded
from safetensors.torch import load_file

from catok import CausalAudioTokenizer
from catok.lm.speech_config import SpeechConfig

pytestmark = pytest.mark.slow


def test_rows_follow_codes_that_were_renumbered_and_moved():
    draw = torch.Generator().manual_seed(0)
    old = torch.randn(64, 8, generator=draw)
    rows = old @ torch.randn(8, 16, generator=draw) + 0.3 * torch.randn(64, 16, generator=draw) + 5
    order = torch.randperm(64, generator=draw)
    moved = old[order] + 0.05 * torch.randn(64, 8, generator=draw)

    def off(found: torch.Tensor) -> float:
        return float((found - rows[order]).square().mean() / rows.var())

    assert off(recoded(rows, moved, old)) < 0.02
    assert off(rows) > 0.5


def test_only_what_is_of_codes_changes(small_model: CausalAudioTokenizer):
    other = deepcopy(small_model)
    with torch.no_grad():
        for weight in other.quantizer.codebook_weights:
            weight.copy_(weight.flip(0))
    size = small_model.codebook_size
    tensors = {
        "model.embedding_list.0.weight": torch.randn(20, 6),
        "model.embedding_list.1.weight": torch.randn(size + 1, 6),
        "lm_heads.2.weight": torch.randn(size + 1, 6),
        "lm_heads.0.weight": torch.randn(20, 6),
    }
    found = recode(tensors, other, small_model)
    changed = {name for name, tensor in tensors.items() if not torch.equal(found[name], tensor)}
    assert changed == {"model.embedding_list.1.weight", "lm_heads.2.weight"}
    for name in changed:
        assert torch.equal(found[name][size:], tensors[name][size:])  # the padding's row


def test_the_command_writes_a_model_of_the_other_tokenizer(tmp_path):
    tok = CausalAudioTokenizer.from_pretrained("tiny")
    with torch.no_grad():
        tok.quantizer.codebook_weights[0].add_(0.01)
    tok.save_pretrained(tmp_path / "tok")
    command(
        ["--model", "tiny-asr", "--tokenizer", str(tmp_path / "tok"), "--out", str(tmp_path / "lm")]
    )
    config = SpeechConfig.load(tmp_path / "lm")
    assert config is not None and config.weight_hash == tok.weight_hash
    assert json.loads((tmp_path / "lm/speech.json").read_text())["tasks"] == ["asr"]
    assert "model.embedding_list.12.weight" in load_file(tmp_path / "lm/model.safetensors")
