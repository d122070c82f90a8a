"""A finer stage in the decoder keeps the codes, and is nothing but its small block at first."""

import pytest
import torch
from research.tiny.finer import add_stage, main

from catok import CausalAudioTokenizer

pytestmark = pytest.mark.slow


def test_a_finer_decoder_keeps_codes_and_begins_as_before(tmp_path, capsys):
    main(["--model", "tiny", "--out", str(tmp_path / "finer")])
    assert "12,359,680 parameters" in capsys.readouterr().out
    model = CausalAudioTokenizer.from_pretrained("tiny").float()
    finer = CausalAudioTokenizer.from_pretrained(tmp_path / "finer")
    assert finer.config.encoder == model.config.encoder
    assert finer.weight_hash == model.weight_hash
    codes = torch.randint(0, 1024, (1, 32, 5))
    expected = model.decode(codes)
    assert 0 < (finer.decode(codes) - expected).abs().max() < 0.1 * expected.abs().max()
    with torch.no_grad():
        for name, parameter in finer.decoder.named_parameters():
            if name.startswith("8.") and name.endswith("scale"):
                parameter.zero_()
    torch.testing.assert_close(finer.decode(codes), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("width, features", [(64, 4), (256, 8)])
def test_widths_that_do_not_fit_are_refused(width, features):
    with pytest.raises(ValueError, match="need a width above that"):
        add_stage(CausalAudioTokenizer.from_pretrained("tiny"), width, features)
