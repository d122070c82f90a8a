"""Loading through transformers, with a stand-in for the package."""

import sys
from types import SimpleNamespace

import pytest

from catok.evaluation.extras import pretrained_loader


class Loader:
    """Gives back what it was asked for; knows no model called "bad"."""

    @staticmethod
    def from_pretrained(source, **options):
        if "bad" in str(source):
            raise KeyError("no such model")
        return source, options


@pytest.fixture
def library(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(AutoModel=Loader))


def test_folders_never_touch_the_network(library, tmp_path):
    with pretrained_loader("a model", tmp_path) as load:
        source, options = load("AutoModel", dtype=1)
        assert source == str(tmp_path) and options["local_files_only"] and options["dtype"] == 1
        assert options["trust_remote_code"] is False
    with pretrained_loader("a model", "owner/model") as load:
        source, options = load("AutoModel")
        assert source == "owner/model" and not options["local_files_only"]
        assert options["trust_remote_code"] is False


def test_errors_say_what_was_wanted_and_what_to_do(library):
    with (
        pytest.raises(ValueError, match=r"^cannot load a voice from x/bad: 'no such model'\. Ask$"),
        pretrained_loader("a voice", "x/bad", "Ask") as load,
    ):
        load("AutoModel")
    with (
        pytest.raises(ValueError, match=r"^cannot load a voice from x/y: it is a face$"),
        pretrained_loader("a voice", "x/y"),
    ):
        raise ValueError("it is a face")


def test_the_package_may_be_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with (
        pytest.raises(ValueError, match=r"^transformers is not installed: pip install"),
        pretrained_loader("a voice", "x/y"),
    ):
        pass
