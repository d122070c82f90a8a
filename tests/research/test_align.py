import copy
import json

import pytest
import torch
from research.tiny.align import align, main

from catok import CausalAudioTokenizer, save_audio
from tests.conftest import build, small_settings

pytestmark = pytest.mark.slow


def drifted(model):
    """The same codec with latents turned by a matrix, as encoder and decoder may agree on."""
    other = copy.deepcopy(model)
    size = model.config.quantizer.input_dim
    generator = torch.Generator().manual_seed(5)
    turn = torch.eye(size) + 0.3 * torch.randn(size, size, generator=generator) / size**0.5
    with torch.no_grad():
        other.encoder[-1].output_proj.weight.copy_(turn @ model.encoder[-1].output_proj.weight)
        first = other.decoder[0].input_proj
        first.weight.copy_(model.decoder[0].input_proj.weight @ torch.linalg.inv(turn))
    return other


def recordings(count):
    generator = torch.Generator().manual_seed(0)
    return [0.3 * torch.randn(1, 19_200, generator=generator) for _ in range(count)]


def agreement(one, other, audio):
    codes = [torch.cat([model.encode(a[None]).codes for a in audio], 2) for model in (one, other)]
    return float((codes[0] == codes[1]).float().mean())


def test_a_drifted_encoder_speaks_the_old_codes_again():
    model, unheard = build(small_settings()), recordings(12)[8:]
    other = drifted(model)
    assert agreement(model, other, unheard) < 0.5
    found = align(other, model, recordings(8))
    assert found["forth"] > 0.99
    assert agreement(model, other, unheard) > 0.9
    assert other.weight_hash == model.weight_hash


def test_the_command_line(tmp_path, capsys):
    model = build(small_settings())
    drifted(model).save_pretrained(tmp_path / "drifted")
    model.save_pretrained(tmp_path / "old")
    lines = []
    for number, audio in enumerate(recordings(8)):
        save_audio(tmp_path / f"{number}.wav", audio.clamp(-1, 1), 24_000)
        line = {"audio": f"{number}.wav", "duration": 0.8, "domain": "speech"}
        lines.append(json.dumps(line))
    (tmp_path / "data.jsonl").write_text("\n".join(lines) + "\n")
    folders = ["--model", str(tmp_path / "drifted"), "--like", str(tmp_path / "old")]
    main([*folders, "--data", str(tmp_path / "data.jsonl"), "--out", str(tmp_path / "aligned")])
    assert "of the latents forth" in capsys.readouterr().out
    aligned = CausalAudioTokenizer.from_pretrained(tmp_path / "aligned")
    assert agreement(model, aligned, recordings(10)[8:]) > 0.9


def test_another_quantizer_is_refused():
    with pytest.raises(ValueError, match="quantizers differ"):
        align(build(small_settings(), seed=1), build(small_settings()), recordings(1))
