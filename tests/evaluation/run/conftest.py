"""A corpus for runs whose systems and metrics cost nothing."""

import json
from pathlib import Path

import pytest

from .fakes import noise


@pytest.fixture
def data(tmp_path) -> Path:
    """A manifest of three good recordings in two domains."""
    (tmp_path / "data").mkdir()
    lines = []
    for name, domain, seconds in (("a", "speech", 0.6), ("b", "speech", 1.0), ("c", "music", 0.7)):
        noise(tmp_path / "data", f"{name}.wav", seconds)
        text = "four" if name == "a" else "ten letter" if name == "b" else None
        lines.append({"audio": f"{name}.wav", "duration": seconds, "domain": domain, "text": text})
    (tmp_path / "data" / "m.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
    return tmp_path / "data" / "m.jsonl"
