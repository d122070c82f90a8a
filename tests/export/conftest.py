"""The small models as ONNX graphs."""

import pytest

from catok.export import export_tokenizer


@pytest.fixture(scope="session")
def exported(small_model, tmp_path_factory):
    """The folder of `small_model`'s graphs; do not change it in a test."""
    folder = tmp_path_factory.mktemp("onnx")
    export_tokenizer(small_model, folder)
    return folder


@pytest.fixture(scope="session")
def exported_stereo(stereo_model, tmp_path_factory):
    """Likewise of `stereo_model`."""
    folder = tmp_path_factory.mktemp("onnx-stereo")
    export_tokenizer(stereo_model, folder)
    return folder
