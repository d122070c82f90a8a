"""A quantizer from outside the package (docs/extend/quantizer.md) does all that ours does."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from catok import CausalAudioTokenizer, Encoded, TokenizerConfig, register_quantizer
from catok.cli import main
from catok.modules import quantizer
from catok.training import (
    CodecTrainConfig,
    CodecTrainer,
    DataConfig,
    OptimizerConfig,
    TrainStage,
    read_cuts,
)
from catok.training.codec.codebooks.revival import RevivalConfig
from catok.training.codec.losses.mel import MelLossConfig
from tests.conftest import build, small_settings
from tests.training.conftest import tones

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "extend" / "quantizer.md"
SOURCE = re.search(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S).group(1)
SETTINGS = {"kind": "fsq", "input_dim": 16, "num_quantizers": 3, "levels": [5, 3]}


@pytest.fixture(autouse=True)
def register(monkeypatch):
    """The kinds before a test are those after it, without what a page's own test registered."""
    kinds = {kind: classes for kind, classes in quantizer._KINDS.items() if kind != "fsq"}
    monkeypatch.setattr(quantizer, "_KINDS", kinds)


@pytest.fixture
def fsq():
    names: dict = {}
    exec(compile(SOURCE, PAGE.name, "exec"), names)
    return names


@pytest.fixture
def model(fsq) -> CausalAudioTokenizer:
    return build(small_settings(quantizer=SETTINGS))


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)) * 0.2


def test_codes_have_its_layout_and_every_prefix_decodes(model):
    encoded = model.encode(noise(2, 1, 10_000))
    assert encoded.codes.shape == (2, 3, 6)
    assert int(encoded.codes.min()) >= 0 and 7 < int(encoded.codes.max()) < 15
    few = model.encode(noise(2, 1, 10_000), num_quantizers=2)
    assert torch.equal(few.codes, encoded.codes[:, :2])
    assert torch.equal(model.decode(few), model.decode(encoded, num_quantizers=2))
    assert not torch.equal(model.decode(few), model.decode(encoded))


def test_training_pass_gives_the_latents_of_decoding(model):
    latents = noise(2, 16, 5).requires_grad_()
    whole = model.quantizer(latents, torch.tensor([1, 3]))
    for row, count in enumerate((1, 3)):
        alone = model.quantizer(latents[row : row + 1], count)
        assert torch.allclose(whole.latents[row], alone.latents[0], atol=1e-6)
        decoded = model.quantizer.decode(alone.codes)
        assert torch.allclose(decoded, alone.latents, atol=1e-6)
    whole.latents.sum().backward()
    assert latents.grad.abs().sum() > 0
    vectors = model.quantizer.code_vectors(3)
    assert vectors.shape == (3, 15, 16)
    assert not torch.allclose(vectors[1][3], vectors[1][4])


def test_streams_and_batches_give_the_same_codes(model):
    audio = noise(1, 1, 20_001)
    encoder, decoder = model.stream_encoder(), model.stream_decoder()
    codes = [encoder.push(piece) for piece in audio.split(777, dim=2)] + [encoder.flush()]
    encoded = model.encode(audio)
    assert torch.equal(torch.cat(codes, dim=2), encoded.codes)
    sound = torch.cat([decoder.push(piece) for piece in codes if piece.shape[2]], dim=2)
    assert torch.allclose(sound[..., :20_001], model.decode(encoded), atol=1e-5)
    batch = model.encode(torch.cat((audio, noise(1, 1, 20_001))))
    assert torch.equal(batch.codes[:1], encoded.codes)


def test_folders_and_half_precision(model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    audio = noise(1, 1, 9_000)
    loaded = CausalAudioTokenizer.from_pretrained(tmp_path / "model")
    assert loaded.config == model.config and loaded.weight_hash == model.weight_hash
    encoded = model.encode(audio)
    assert torch.equal(loaded.encode(audio).codes, encoded.codes)
    encoded.save(tmp_path / "a.cat")
    assert torch.equal(loaded.decode(Encoded.load(tmp_path / "a.cat")), model.decode(encoded))
    half = CausalAudioTokenizer.from_pretrained(tmp_path / "model", dtype="bfloat16")
    assert half.weight_hash == model.weight_hash
    assert {p.dtype for p in half.quantizer.parameters()} == {torch.float32}
    with pytest.raises(ValueError, match="other.*model"):
        build(small_settings(quantizer=SETTINGS), seed=1).decode(encoded)


def test_a_run_trains_it(fsq, tmp_path):
    tones(tmp_path)
    settings = TokenizerConfig.from_dict(small_settings(quantizer=SETTINGS)).to_dict()
    (tmp_path / "fsq.json").write_text(json.dumps(settings))
    config = CodecTrainConfig(
        stages=(TrainStage(30),),
        architecture=str(tmp_path / "fsq.json"),
        data=DataConfig(crop_seconds=0.32, batch_size=2),
        optimizer=OptimizerConfig(learning_rate=3e-3, warmup_steps=4),
        mel=MelLossConfig(windows=(64, 512), mel_bins=(10, 40)),
        revival=RevivalConfig(after=2),
        log_every=1,
        autocast=True,
    )
    lines = []
    corpora = [(read_cuts(tmp_path), None)]
    trainer = CodecTrainer(config, corpora, corpora, tmp_path / "run", report=lines.append)
    before = trainer.codec.quantizer.input_proj.weight.detach().clone()
    trainer.run()
    totals = [line["mel"] for line in lines if "mel" in line]
    assert sum(totals[-5:]) < 0.9 * sum(totals[:5])
    assert all(line["revived"] == 0 for line in lines if "revived" in line)
    assert not torch.equal(trainer.codec.quantizer.input_proj.weight, before)
    model = CausalAudioTokenizer.from_pretrained(tmp_path / "run" / "model")
    assert model.config.quantizer.kind == "fsq"
    longer = CodecTrainer(
        replace(config, stages=(TrainStage(31),)), corpora, corpora, tmp_path / "run"
    )
    assert longer.step == 30  # goes on


def test_commands_find_it_by_its_entry_point(model, tmp_path, monkeypatch):
    model.save_pretrained(tmp_path / "model")
    monkeypatch.delitem(quantizer._KINDS, "fsq")
    (tmp_path / "mylab_fsq.py").write_text(SOURCE)
    info = tmp_path / "mylab-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mylab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[catok.quantizers]\nfsq = mylab_fsq\n")
    tones(tmp_path)
    run = ["encode", str(tmp_path / "0.wav"), "--model", str(tmp_path / "model")]
    assert main(run) != 0
    monkeypatch.syspath_prepend(tmp_path)
    assert main(run) == 0
    sys.modules.pop("mylab_fsq")
    assert Encoded.load(tmp_path / "0.cat").codebook_size == 15


def test_unknown_kinds_and_taken_names_are_refused(fsq):
    with pytest.raises(ValueError, match=r"quantizer.kind is 'none'; known are \['fsq', 'rlfq'"):
        TokenizerConfig.from_dict(small_settings(quantizer={"kind": "none"}))
    with pytest.raises(ValueError, match="FSQ already"):
        register_quantizer("fsq", fsq["FSQConfig"], quantizer.Quantizer)
    with pytest.raises(ValueError, match="unknown keys in tokenizer.quantizer"):
        TokenizerConfig.from_dict(small_settings(quantizer=SETTINGS | {"inner_dim": 3}))
