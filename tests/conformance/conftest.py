"""The kit, made once."""

import pytest

from catok.conformance import load_kit, make_kit


@pytest.fixture(scope="session")
def kit_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kit")
    make_kit(folder)
    return folder


@pytest.fixture(scope="session")
def kit(kit_folder):
    """Variants by name."""
    return {variant.name: variant for variant in load_kit(kit_folder)}
