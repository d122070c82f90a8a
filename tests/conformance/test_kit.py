"""The kit: the same files every time, in the released layout, without near ties."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from catok import CausalAudioTokenizer
from catok.conformance import load_kit, make_kit
from catok.conformance.judging import TIE
from catok.conformance.models import VARIANTS

pytestmark = pytest.mark.slow


def test_it_is_small_and_has_all_variants(kit, kit_folder):
    assert set(kit) == set(VARIANTS) == {"24khz", "nano", "v2", "tiny"}
    size = sum(path.stat().st_size for path in kit_folder.rglob("*") if path.is_file())
    assert size < 9e6
    told = json.loads((kit_folder / "kit.json").read_text())
    assert told["variants"]["nano"]["channels"] == 2
    assert told["variants"]["v2"]["recordings"]["partial"]["frames"] == 6


def test_making_it_again_gives_the_same(kit_folder, tmp_path):
    make_kit(tmp_path, ["tiny"])
    again, first = tmp_path / "tiny", kit_folder / "tiny"
    assert (again / "config.json").read_text() == (first / "config.json").read_text()
    weights = load_file(first / "model.safetensors")
    for name, tensor in load_file(again / "model.safetensors").items():
        assert torch.equal(tensor, weights.pop(name))
    assert not weights
    with (
        np.load(tmp_path / "tiny" / "vectors.npz") as again,
        np.load(kit_folder / "tiny" / "vectors.npz") as first,
    ):
        assert again.files == first.files
        for name in first.files:
            np.testing.assert_array_equal(again[name], first[name])


@pytest.mark.parametrize("name", list(VARIANTS))
def test_no_look_up_is_near_a_tie_and_many_codes_are_used(kit, name):
    variant = kit[name]
    assert min(r.margins.min() for r in variant.recordings.values()) > 2 * TIE
    codes = variant.recordings["long"].codes
    assert min(len(np.unique(row)) for row in codes) > 5
    assert variant.recordings["long"].frames > 4 * variant.windows[1]
    assert variant.recordings["partial"].samples % variant.config.frame_size
    assert variant.recordings["short"].samples < variant.config.frame_size


def test_stages_of_the_short_recording_help_to_find_a_fault(kit, kit_folder):
    variant = kit["nano"]
    with np.load(kit_folder / "nano" / "vectors.npz") as arrays:
        last = len(variant.config.encoder) - 1
        np.testing.assert_array_equal(
            arrays[f"short.encoder.{last}"], variant.recordings["short"].latents
        )
        sound = arrays[f"short.decoder.{last}"].reshape(-1, 2).T
        kept = variant.recordings["short"].decoded[16]
        np.testing.assert_array_equal(sound[~np.isnan(kept)], kept[~np.isnan(kept)])


def test_a_model_of_the_kit_is_loaded_as_a_released_one(kit):
    config = json.loads((kit["v2"].folder / "config.json").read_text())
    assert config["model_type"] == "moss-audio-tokenizer" and config["number_channels"] == 2
    assert CausalAudioTokenizer.from_pretrained(kit["v2"].folder).config == VARIANTS["v2"]


def test_what_is_no_kit_is_refused(kit_folder, tmp_path):
    with pytest.raises(ValueError, match="is no kit"):
        load_kit(tmp_path)
    with pytest.raises(ValueError, match="has no variants \\['v3'\\]"):
        load_kit(kit_folder, ["v3"])
    with pytest.raises(ValueError, match="no variants"):
        make_kit(tmp_path, ["v3"])
    make_kit(tmp_path, ["tiny"])
    (tmp_path / "tiny" / "vectors.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match="cannot be read"):
        load_kit(tmp_path)
