"""A grown speech model computes what the old one does with as many codebooks."""

import pytest
import torch
from research.grow import grow, main

from catok.lm.asr.ctc import CTC, CTCHead
from catok.lm.model import TokenLM
from tests.lm.conftest import build, random_tokens, small_config

pytestmark = pytest.mark.slow


def test_more_layers_and_fewer_codebooks_change_no_result(tmp_path, capsys):
    model, folder = build(small_config()), tmp_path / "old"
    model.save_pretrained(folder)
    CTCHead(32, 264, 2).save(folder)
    shape = ["--layers", "5", "--codebooks", "3"]
    main(["--model", str(folder), "--out", str(tmp_path / "new"), *shape])
    assert "parameters" in capsys.readouterr().out
    assert (tmp_path / "new" / CTC).read_bytes() == (folder / CTC).read_bytes()
    grown = TokenLM.from_pretrained(tmp_path / "new")
    assert (grown.config.n_vq, grown.config.language_config.num_hidden_layers) == (3, 5)
    rows = random_tokens(model.config, 2, 7)
    with torch.no_grad():
        hidden, _ = model.temporal(rows, num_quantizers=3)
        torch.testing.assert_close(grown.temporal(rows[..., :4])[0], hidden)
        before = model.depth_logits(hidden[:, -1], rows[:, 0], 3)
        torch.testing.assert_close(grown.depth_logits(hidden[:, -1], rows[:, 0, :4]), before)


def test_new_layers_learn():
    grown = grow(build(small_config()), 3, 4).train()
    rows = random_tokens(grown.config, 2, 9)
    labels = rows.where(rows < 16, 0)
    grown.loss(rows, labels).losses["loss"].backward()
    layers = grown.backbone.qwen3.layers
    (new,) = (layer for layer in layers if not bool(layer.mlp.down_proj.weight.any()))
    assert bool(new.mlp.down_proj.weight.grad.any() and new.self_attn.o_proj.weight.grad.any())


def test_what_would_lose_weights_is_refused():
    with pytest.raises(ValueError, match="2 temporal layers"):
        grow(build(small_config()), 1, 4)
    for codebooks in (0, 5):
        with pytest.raises(ValueError, match="keep 1 to 4"):
            grow(build(small_config()), 2, codebooks)
