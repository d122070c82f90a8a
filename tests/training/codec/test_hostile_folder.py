"""Discriminators and semantic heads that are damaged or made to harm: a ValueError."""

import json
import shutil
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.training.codec.discriminators.ensemble import CONFIG as DISCRIMINATORS
from catok.training.codec.discriminators.ensemble import DiscriminatorConfig, Discriminators
from catok.training.codec.semantic.folder import CONFIG as SEMANTIC
from catok.training.codec.semantic.head import SemanticHead
from tests.spoiling import spoilt
from tests.training.codec.semantic.conftest import build_head


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A folder with both."""
    folder = tmp_path_factory.mktemp("good")
    Discriminators(DiscriminatorConfig((2, 3), (64,), (4, 8), 4)).save_pretrained(folder)
    build_head().save_pretrained(folder)
    return folder


def with_config(good, name, config):
    folder = good.parent / "spoilt"
    shutil.copytree(good, folder, dirs_exist_ok=True)
    (folder / name).write_text(json.dumps(config))
    return folder


@pytest.mark.slow
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_discriminators_load_or_are_a_value_error(good, data):
    config = json.loads((good / DISCRIMINATORS).read_text())
    with suppress(ValueError):
        Discriminators.from_pretrained(with_config(good, DISCRIMINATORS, spoilt(config, data.draw)))


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_any_semantic_head_loads_or_is_a_value_error(good, data):
    config = json.loads((good / SEMANTIC).read_text())
    with suppress(ValueError):
        SemanticHead.from_pretrained(with_config(good, SEMANTIC, spoilt(config, data.draw)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"period_channels": [15_000, 15_000]},
        {"period_channels": [2**40]},
        {"periods": [2] * 100_000},
        {"band_channels": 2**31},
    ],
)
def test_discriminators_are_no_larger_than_their_file(good, change):
    config = json.loads((good / DISCRIMINATORS).read_text())
    config["discriminators"].update(change)
    with pytest.raises(ValueError, match="do not belong"):
        Discriminators.from_pretrained(with_config(good, DISCRIMINATORS, config))


@pytest.mark.parametrize("change", [{"vocab_size": 8_000_000}, {"num_hidden_layers": 100_000}])
def test_a_semantic_head_is_no_larger_than_its_file(good, change):
    config = json.loads((good / SEMANTIC).read_text())
    config["decoder"].update(change)
    with pytest.raises(ValueError):
        SemanticHead.from_pretrained(with_config(good, SEMANTIC, config))


def test_settings_that_name_code_to_fetch_are_left_out(good):
    config = json.loads((good / SEMANTIC).read_text())
    config["decoder"]["attn_implementation"] = "someone/kernels"
    head = SemanticHead.from_pretrained(with_config(good, SEMANTIC, config))
    assert head.language_model.config._attn_implementation == "sdpa"
