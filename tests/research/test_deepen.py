"""A deeper decoder keeps codes and weights, and sounds nearly the same at first."""

import pytest
import torch
from research.tiny.deepen import deepen, main

from catok import CausalAudioTokenizer
from catok.modules.transformer import TransformerConfig
from tests.conftest import build, small_settings

pytestmark = pytest.mark.slow


def test_a_deeper_decoder_keeps_the_codes(tmp_path, capsys):
    model = build(small_settings())
    model.save_pretrained(tmp_path / "model")
    folders = ["--model", str(tmp_path / "model"), "--out", str(tmp_path / "deeper")]
    main([*folders, "--blocks", "0", "1", "0", "2"])
    assert "parameters" in capsys.readouterr().out
    deeper = CausalAudioTokenizer.from_pretrained(tmp_path / "deeper")
    stages = [s for s in deeper.config.decoder if isinstance(s, TransformerConfig)]
    assert [stage.layers for stage in stages] == [1, 2, 1, 3]
    assert deeper.config.encoder == model.config.encoder
    kept = deeper.state_dict()
    assert all(torch.equal(kept[name], weight) for name, weight in model.state_dict().items())
    audio = torch.randn(1, 1, 9600) * 0.1
    codes = model.encode(audio).codes
    assert torch.equal(codes, deeper.encode(audio).codes)


def test_the_new_blocks_begin_small():
    model = build(small_settings())
    stages = [p for n, p in model.named_parameters() if n.endswith("scale")]
    assert stages  # every block has layer scales, so a new one is small by them
    deeper = deepen(model, [1, 1, 1, 1]).eval()
    with torch.no_grad():
        for name, parameter in deeper.named_parameters():
            if "layers.1." in name and name.endswith("scale"):
                parameter.zero_()
    codes = torch.randint(0, 64, (1, 8, 5))
    torch.testing.assert_close(deeper.decode(codes), model.decode(codes))


@pytest.mark.parametrize("blocks", [[0, 0, 0, 0], [1], [0, 0, 0, 1, 0], [1, -1, 0, 0]])
def test_blocks_that_do_not_fit_are_refused(blocks):
    with pytest.raises(ValueError, match="4 Transformer stages"):
        deepen(build(small_settings()), blocks)
