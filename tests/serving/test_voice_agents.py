"""LiveKit's and Pipecat's clients against a server: the programs of docs/serving-clients.md."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.serving.client import running

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / ".venv-clients" / "done"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not INSTALLED.exists(), reason="no .venv-clients: make clients"),
]


@pytest.fixture(scope="module")
def address(models):
    with running(models) as (address, _):
        yield address


def printed(heading: str, address: str, folder: Path) -> dict[str, list[str]]:
    """What the program under a heading prints at this address, by the first word of a line."""
    page = (ROOT / "docs" / "serving-clients.md").read_text()
    (program,) = re.findall(rf"^## {heading}$.*?^```py\n(.*?)^```", page, re.M | re.S)
    assert "http://127.0.0.1:8000" in program
    path = folder / "program.py"
    path.write_text(program.replace("http://127.0.0.1:8000", address))
    python = INSTALLED.with_name("bin") / "python"
    run = subprocess.run([python, path], cwd=folder, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    found: dict[str, list[str]] = {}
    for line in run.stdout.splitlines():
        name, _, rest = line.partition(": ")
        found.setdefault(name, []).append(rest)
    return found


def test_livekit_speaks_and_listens(address, tmp_path):
    found = printed("LiveKit Agents", address, tmp_path)
    speech = re.fullmatch(r"(\d+) Hz, ([\d.]+) s", found["speech"][0])
    assert speech and speech[1] == "24000" and 0 < float(speech[2]) <= 1.5
    assert len(found["whole"][0]) > len("''") and len(found["live"][0]) > len("''")


def test_pipecat_speaks(address, tmp_path):
    found = printed("Pipecat", address, tmp_path)["audio"]
    parts = [re.fullmatch(r"24000 Hz, (\d+) bytes", each) for each in found]
    sizes = [int(each[1]) for each in parts if each]
    assert len(sizes) == len(found) and sum(sizes) % (2 * 1920) == 0
    assert 0 < sum(sizes) <= 2 * 24_000 * 1.2
