"""Folders that are damaged or made to harm: a ValueError, in little time and memory."""

import contextlib
import json
import os
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from catok import CausalAudioTokenizer
from catok.io.stored_weights import CONFIG, INDEX, WEIGHTS
from tests.conftest import build, small_settings
from tests.spoiling import JUNK, spoilt


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    build(small_settings()).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(good, tmp_path):
    for file in good.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def rewrite(folder, change):
    config = json.loads((folder / CONFIG).read_text())
    change(config)
    (folder / CONFIG).write_text(json.dumps(config))


@pytest.mark.slow
@given(st.data())
@settings(max_examples=30, deadline=None)
@pytest.mark.parametrize("released", [False, True])
def test_any_config_loads_or_is_a_value_error(good, released, data):
    config = json.loads((good / CONFIG).read_text())
    if released:
        del config["catok"]
    folder = good.parent / "spoilt"
    folder.mkdir(exist_ok=True)
    (folder / WEIGHTS).write_bytes((good / WEIGHTS).read_bytes())
    (folder / CONFIG).write_text(json.dumps(spoilt(config, data.draw)))
    with contextlib.suppress(ValueError):
        CausalAudioTokenizer.from_pretrained(folder)


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_any_index_loads_or_is_a_value_error(good, data):
    folder = good.parent / "indexed"
    folder.mkdir(exist_ok=True)
    for name in (WEIGHTS, CONFIG):
        (folder / name).write_bytes((good / name).read_bytes())
    index = {"metadata": {}, "weight_map": {"a": WEIGHTS, "b": WEIGHTS}}
    whole = data.draw(st.booleans())
    index = data.draw(JUNK) if whole else spoilt(index, data.draw)
    (folder / INDEX).write_text(json.dumps(index))
    with contextlib.suppress(ValueError):
        CausalAudioTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("name", ["../good/model.safetensors", "/etc/passwd", "a\0b.safetensors"])
def test_an_index_names_files_of_its_own_folder_only(folder, name):
    (folder / INDEX).write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(ValueError, match="index.json is damaged"):
        CausalAudioTokenizer.from_pretrained(folder)


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_a_flipped_bit_in_the_weights_is_seen(good, data):
    """In the tensors always; in the header unless what is read stays the same."""
    folder = good.parent / "flipped"
    folder.mkdir(exist_ok=True)
    (folder / CONFIG).write_bytes((good / CONFIG).read_bytes())
    content = bytearray((good / WEIGHTS).read_bytes())
    header = 8 + int.from_bytes(content[:8], "little")
    in_header = data.draw(st.booleans())
    span = (0, header - 1) if in_header else (header, len(content) - 1)
    content[data.draw(st.integers(*span))] ^= 1 << data.draw(st.integers(0, 7))
    (folder / WEIGHTS).write_bytes(content)
    try:
        loaded = CausalAudioTokenizer.from_pretrained(folder)
    except ValueError:
        return
    assert in_header
    expected = CausalAudioTokenizer.from_pretrained(good).state_dict()
    assert all(tensor.equal(expected[name]) for name, tensor in loaded.state_dict().items())


def test_weights_of_others_have_no_checksums_and_load(folder):
    tensors = load_file(folder / WEIGHTS)
    with safe_open(folder / WEIGHTS, "pt") as file:
        assert set(json.loads(file.metadata()["crc32"])) == set(tensors)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    CausalAudioTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["encoder", "quantizer", "decoder"])
def test_weights_that_are_not_finite_are_refused(folder, part, value):
    tensors = load_file(folder / WEIGHTS)
    name = next(name for name in tensors if name.startswith(part))
    tensors[name].view(-1)[0] = value
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(ValueError, match=f"{part}.* is not finite in float32"):
        CausalAudioTokenizer.from_pretrained(folder)


def test_weights_beyond_a_narrow_dtype_are_refused(folder):
    tensors = load_file(folder / WEIGHTS)
    name = next(name for name in tensors if name.startswith("encoder"))
    tensors[name].view(-1)[0] = 1e6
    save_file(tensors, folder / WEIGHTS)
    CausalAudioTokenizer.from_pretrained(folder, dtype="bfloat16")
    with pytest.raises(ValueError, match="not finite in float16"):
        CausalAudioTokenizer.from_pretrained(folder, dtype="float16")


def test_weights_that_are_no_floats_are_refused(folder):
    tensors = load_file(folder / WEIGHTS)
    name = next(name for name in tensors if name.startswith("encoder"))
    save_file(tensors | {name: tensors[name].to(torch.int8)}, folder / WEIGHTS)
    with pytest.raises(ValueError, match="wrongly typed tensors.*I8"):
        CausalAudioTokenizer.from_pretrained(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"layers": 10_000},
        {"layers": 2**62},
        {"width": 2**40},
        {"feedforward": 2**62},
        {"heads": 2, "width": 4 * 10**9, "feedforward": 4 * 10**9},
        {"window": 1e18},
    ],
)
def test_sizes_far_beyond_the_stored_weights_fail_at_once(folder, change):
    rewrite(folder, lambda config: config["catok"]["tokenizer"]["encoder"][1].update(change))
    begun = time.monotonic()
    with pytest.raises(ValueError):
        CausalAudioTokenizer.from_pretrained(folder)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, INDEX])
def test_a_pipe_in_place_of_a_file_is_refused_at_once(folder, name):
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(ValueError):
        CausalAudioTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("dtype", ["float16", torch.bfloat16])
def test_published_in_half_precision_the_codes_are_the_same_space(tmp_path, dtype):
    model = build(small_settings())
    model.save_pretrained(tmp_path, dtype=dtype)
    stored = load_file(tmp_path / WEIGHTS)
    narrow = torch.float16 if dtype == "float16" else dtype
    for name, tensor in stored.items():
        assert tensor.dtype == (torch.float32 if name.startswith("quantizer.") else narrow)
    loaded = CausalAudioTokenizer.from_pretrained(tmp_path)
    again = CausalAudioTokenizer.from_pretrained(tmp_path, dtype=dtype)
    assert loaded.weight_hash == again.weight_hash == model.weight_hash
    assert again.encoder.dtype == narrow
    latents = torch.randn(1, model.config.quantizer.input_dim, 50)
    assert torch.equal(loaded.quantizer.encode(latents), model.quantizer.encode(latents))
    again.decode(model.encode(torch.randn(1, 1, 5000) * 0.1))  # one code space
