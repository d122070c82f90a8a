"""`catok convert`."""

import json

import pytest
import torch

from catok import CausalAudioTokenizer
from catok.cli import main
from tests.tokenizer.test_golden import GOLDEN


@pytest.mark.slow
def test_there_and_back(tmp_path, capsys):
    there, back = str(tmp_path / "there"), str(tmp_path / "back")
    assert main(["convert", str(GOLDEN / "mono-a"), "-o", there, "--layout", "transformers"]) == 0
    assert "layout transformers" in capsys.readouterr().err
    told = json.loads((tmp_path / "there" / "config.json").read_text())
    assert told["model_type"] == "moss_audio_tokenizer"
    assert main(["info", there]) == 0
    assert main(["convert", there, "-o", back, "--dtype", "float16"]) == 0
    first = CausalAudioTokenizer.from_pretrained(GOLDEN / "mono-a")
    audio = 0.1 * torch.randn(1, 1, 9000, generator=torch.Generator().manual_seed(0))
    codes = first.encode(audio).codes
    assert torch.equal(CausalAudioTokenizer.from_pretrained(there).encode(audio).codes, codes)
    assert json.loads((tmp_path / "back" / "config.json").read_text())["dtype"] == "float16"
    assert main(["convert", there, "-o", back, "--skip-existing"]) == 0
    assert "nothing to do" in capsys.readouterr().err


def test_what_does_not_fit_is_said(tmp_path, capsys):
    out = str(tmp_path / "out")
    assert main(["convert", "tiny", "-o", out, "--layout", "transformers"]) == 1
    assert "its quantizer is 'rvq'" in capsys.readouterr().err
