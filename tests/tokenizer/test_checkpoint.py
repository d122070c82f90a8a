"""Folders of weights: both dialects, shards, halves, and everything that can be wrong with one."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from catok import CausalAudioTokenizer
from catok.io.hub import find_folder
from catok.io.stored_weights import CONFIG, INDEX, WEIGHTS
from tests.conftest import build, small_settings

AUDIO = torch.randn(1, 1, 5000, generator=torch.Generator().manual_seed(0)) * 0.2


@pytest.fixture
def folder(tmp_path, small_model):
    small_model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def rewrite(folder, change):
    """Apply `change` to the stored tensors."""
    path = folder / WEIGHTS
    save_file(change(load_file(path)), path)


def test_a_saved_model_is_the_same_model(folder, small_model):
    loaded = CausalAudioTokenizer.from_pretrained(folder)
    assert loaded.config == small_model.config
    assert loaded.model_id == "model"
    assert torch.equal(loaded.encode(AUDIO).codes, small_model.encode(AUDIO).codes)
    assert not loaded.training
    assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("channels", "dialect"), [(1, "self_attn.in_projs.0.weight"), (2, "self_attn.in_proj.weight")]
)
def test_folders_are_written_in_the_official_readers_dialect(tmp_path, channels, dialect):
    """And what a reader that knows nothing of catok sees in them is the same model."""
    model = build(small_settings(channels=channels))
    model.save_pretrained(tmp_path)
    assert any(dialect in name for name in load_file(tmp_path / WEIGHTS))
    path = tmp_path / CONFIG
    config = json.loads(path.read_text())
    assert config["sampling_rate"] == model.sample_rate
    assert config["downsample_rate"] == model.frame_size
    del config["catok"]
    path.write_text(json.dumps(config | {"anything_else": 1}))
    loaded = CausalAudioTokenizer.from_pretrained(tmp_path)
    assert loaded.config == model.config
    assert loaded.weight_hash == model.weight_hash


def test_a_config_that_no_official_reader_knows_is_not_written(tmp_path):
    settings = small_settings()
    settings["encoder"][1]["window"] = 0.4
    model = build(settings)
    with pytest.raises(ValueError, match="always_project=True"):
        model.save_pretrained(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_old_spellings_are_read(folder, small_model):
    def age(tensors):
        aged = {}
        for name, tensor in tensors.items():
            name = name.replace("in_projs.0.weight", "in_proj_weight")
            name = name.replace(".parametrizations.weight.original0", ".weight_g")
            name = name.replace(".parametrizations.weight.original1", ".weight_v")
            aged[name] = tensor
        return aged | {"encoder.1.transformer.layers.0.linear1.weight_scb": torch.zeros(1)}

    rewrite(folder, age)
    loaded = CausalAudioTokenizer.from_pretrained(folder)
    assert torch.equal(loaded.encode(AUDIO).codes, small_model.encode(AUDIO).codes)


@pytest.mark.parametrize("indexed", [True, False])
def test_shards_are_read(folder, small_model, indexed):
    tensors = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    names, where = sorted(tensors), {}
    for number in (1, 2):
        file = f"model-0000{number}-of-00002.safetensors"
        part = {name: tensors[name] for name in names[number - 1 :: 2]}
        save_file(part, folder / file)
        where |= dict.fromkeys(part, file)
    if indexed:
        (folder / INDEX).write_text(json.dumps({"weight_map": where}))
    loaded = CausalAudioTokenizer.from_pretrained(folder)
    assert torch.equal(loaded.encode(AUDIO).codes, small_model.encode(AUDIO).codes)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ValueError, match="lacks weights" if indexed else "missing tensors"):
        CausalAudioTokenizer.from_pretrained(folder)


@pytest.mark.parametrize(("part", "other"), [("encoder", "decoder"), ("decoder", "encoder")])
def test_half_a_model_holds_half_the_weights(folder, small_model, part, other):
    half = CausalAudioTokenizer.from_pretrained(folder, part=part)
    assert not any(name.startswith(other) for name in half.state_dict())
    encoded = small_model.encode(AUDIO)
    if part == "encoder":
        assert torch.equal(half.encode(AUDIO).codes, encoded.codes)
    else:
        assert torch.equal(half.decode(encoded), small_model.decode(encoded))
    with pytest.raises(ValueError, match=f'only the {part} of this model was loaded.*"{other}"'):
        half.decode(encoded) if part == "encoder" else half.encode(AUDIO)
    with pytest.raises(ValueError, match=f"only the {part} is loaded"):
        half.save_pretrained(folder / "copy")


def test_narrower_storage(tmp_path, small_model, folder):
    small_model.save_pretrained(tmp_path / "half", dtype=torch.float16)
    sizes = [(f / WEIGHTS).stat().st_size for f in (folder, tmp_path / "half")]
    assert sizes[1] < 0.6 * sizes[0]
    loaded = CausalAudioTokenizer.from_pretrained(tmp_path / "half")
    assert loaded.encoder.dtype == torch.float32
    assert json.loads((tmp_path / "half" / "config.json").read_text())["dtype"] == "float16"


def dropped(tensors):
    return {n: t for n, t in tensors.items() if n != "quantizer.quantizers.3.codebook.weight"}


def widened(tensors):
    name = "quantizer.quantizers.3.codebook.weight"
    return tensors | {name: torch.zeros(64, 5)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dropped, "1 missing tensors.*quantizers.3.codebook.weight"),
        (lambda t: t | {"decoder.99.scale": torch.zeros(1)}, "1 unknown tensors.*decoder.99"),
        (widened, r"1 wrongly shaped tensors.*file \[64, 5\], config \[64, 4\]"),
    ],
)
def test_weights_that_do_not_belong(folder, change, message):
    rewrite(folder, change)
    with pytest.raises(ValueError, match=message):
        CausalAudioTokenizer.from_pretrained(folder)


def test_damaged_files(folder):
    weights = folder / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ValueError, match="cannot be read.*fetch it again"):
        CausalAudioTokenizer.from_pretrained(folder)
    weights.unlink()
    with pytest.raises(ValueError, match="lacks weights"):
        CausalAudioTokenizer.from_pretrained(folder)


def edit_config(folder, change):
    path = folder / CONFIG
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["catok"]["tokenizer"].update(colour=1), "unknown keys in tokenizer"),
        (lambda c: c["catok"].update(format=99), "newer catok.*upgrade"),
        (lambda c: (c.pop("catok"), c.pop("encoder_kwargs")), "neither a catok folder nor"),
        (lambda c: (c.pop("catok"), c.update(downsample_rate=960)), "downsample_rate 960"),
        (
            lambda c: (c.pop("catok"), c["encoder_kwargs"][1].update(gating="silu")),
            "gating='silu'",
        ),
    ],
)
def test_config_files_that_cannot_be_right(folder, change, message):
    edit_config(folder, change)
    with pytest.raises(ValueError, match=message):
        CausalAudioTokenizer.from_pretrained(folder)


def test_config_files_that_are_not_there_or_not_json(folder):
    (folder / CONFIG).write_text("{")
    with pytest.raises(ValueError, match="not valid JSON"):
        CausalAudioTokenizer.from_pretrained(folder)
    (folder / CONFIG).unlink()
    with pytest.raises(ValueError, match="holds no config.json"):
        CausalAudioTokenizer.from_pretrained(folder)


def test_a_released_decoder_may_be_written_encoder_wise(folder, small_model):
    def turn(config):
        del config["catok"], config["decoder_kwargs"]
        config["reversed_decoder_kwargs"] = config["encoder_kwargs"]

    edit_config(folder, turn)
    assert CausalAudioTokenizer.from_pretrained(folder).config == small_model.config


def test_names_that_lead_nowhere(tmp_path):
    with pytest.raises(ValueError, match="no folder 'nonsense'.*owner/name"):
        CausalAudioTokenizer.from_pretrained("nonsense")
    with pytest.raises(ValueError, match="no folder"):
        CausalAudioTokenizer.from_pretrained(tmp_path / "nothing")
    with pytest.raises(ValueError, match="dtype must be"):
        CausalAudioTokenizer.from_pretrained("tiny", dtype=torch.float64)


def test_a_hub_id_is_downloaded_and_a_failure_explained(monkeypatch, folder, small_model):
    asked, wanted = [], []

    def snapshot(repo, *, allow_patterns, ignore_patterns):
        asked.append(repo)
        wanted.append(ignore_patterns)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    loaded = CausalAudioTokenizer.from_pretrained("someone/codec")
    assert asked == ["someone/codec"] and loaded.config == small_model.config
    find_folder("someone/codec", companions=True)
    assert wanted == [["*/*"], None]

    def offline(repo, *, allow_patterns, ignore_patterns):
        raise OSError("no route")

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    with pytest.raises(ValueError, match="could not fetch 'someone/codec'.*local folder"):
        CausalAudioTokenizer.from_pretrained("someone/codec")
