"""The change of docs/extend/tts-field.md, made to a copy of the package: one line in one file."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import catok

pytestmark = pytest.mark.slow

PACKAGE = Path(catok.__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "extend" / "tts-field.md"
FILE = "data/prompt_fields.py"

CHECK = """
import json
import torch
from pathlib import Path
from catok.cli import main
from catok.cli.utterances import read_utterances
from catok.data.recordings import read_recordings
from catok.lm import SpeechRequest
from catok.lm.messages import user_message
from catok.training.lm.corpus import prompt_fields

request = SpeechRequest("Hello.", accent="Scottish")
parts = "".join(part for part in user_message("Hello.", request).parts if isinstance(part, str))
assert parts.endswith("- Language:\\nNone\\n- Accent:\\nScottish\\n- Text:\\nHello.\\n</user_inst>")
plain = user_message("Hello.", SpeechRequest("Hello.")).parts
assert not any("Accent" in part for part in plain)

try:
    SpeechRequest("Hello.", accent=3)
    raise AssertionError("a number was taken")
except ValueError as error:
    assert "accent must be text" in str(error)

Path("list.jsonl").write_text(json.dumps({"text": "Hello.", "accent": "Welsh"}))
(item,), _, _ = read_utterances(Path("list.jsonl"))
assert item.fields.accent == "Welsh"

Path("a.wav").write_bytes(b"")
Path("train.jsonl").write_text(json.dumps({"audio": "a.wav", "duration": 1, "accent": "Irish"}))
(entry,) = read_recordings("train.jsonl")
assert prompt_fields(entry).accent == "Irish"

try:
    main(["tts", "--help"])
except SystemExit as stop:
    assert stop.code == 0
"""


def test_one_line_adds_a_field_everywhere(tmp_path):
    copy = tmp_path / "src" / "catok"
    copy.mkdir(parents=True)
    changed = Path(FILE)
    for item in PACKAGE.iterdir():
        if item.name != changed.parts[0]:
            (copy / item.name).symlink_to(item)
    shutil.copytree(PACKAGE / changed.parts[0], copy / changed.parts[0])
    before, added = re.search(r"```diff\n (.*)\n\+(.*)\n```", PAGE.read_text()).groups()
    source = (copy / FILE).read_text()
    assert source.count(f"{before}\n") == 1
    (copy / FILE).write_text(source.replace(before, f"{before}\n{added}"))
    done = subprocess.run(
        [sys.executable, "-c", CHECK],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "src")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "--accent TEXT" in done.stdout and "Of the speaker, such as Scottish." in done.stdout
