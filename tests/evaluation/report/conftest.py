"""A finished run with fake systems: names that need escaping, a failure, clips to hear."""

import json
from pathlib import Path

import pytest

from catok.evaluation.run.evaluate import evaluate
from tests.evaluation.run.fakes import evaluation, noise

NASTY = "<b>&\"'x"


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """The folder of the run, and its summary."""
    folder: Path = tmp_path_factory.mktemp("report")
    lines = []
    for n in range(6):
        name = f"{n}{NASTY}.wav" if n == 0 else f"{n}.wav"
        noise(folder, name, seconds=0.8, rate=8000)  # browsers refuse very low rates
        domain = "speech" if n % 2 == 0 else NASTY
        lines.append({"audio": name, "duration": 0.8, "domain": domain, "text": NASTY})
    noise(folder, "silent.wav", peak=1e-4)
    lines.append({"audio": "silent.wav", "duration": 0.6, "domain": "speech"})
    (folder / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    systems = ("gain:0.5,0.25,0.125", "codes:0.1,0.9")
    asked = evaluation(folder / "m.jsonl", *systems, baselines=("<i>other:0.2,0.6",), examples=2)
    return folder / "out", evaluate(asked, folder / "out")
