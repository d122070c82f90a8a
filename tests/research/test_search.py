"""The search for a better `tiny`, from end to end in a few steps."""

import json

import pytest
import torch
from research.tiny import search

from catok import CausalAudioTokenizer, save_audio

pytestmark = pytest.mark.slow

pytest.importorskip("pystoi")
pytest.importorskip("pesq")


def test_runs_of_equal_time_are_measured_and_not_run_again(tmp_path, capsys):
    lines = []
    for index, domain in enumerate(("speech", "speech", "music", "sound")):
        draw = torch.Generator().manual_seed(index)
        save_audio(tmp_path / f"{index}.wav", 0.1 * torch.randn(50_000, generator=draw), 24_000)
        lines.append(json.dumps({"audio": f"{index}.wav", "duration": 2.083, "domain": domain}))
    (tmp_path / "all.jsonl").write_text("\n".join(lines) + "\n")
    data, out = str(tmp_path / "all.jsonl"), tmp_path / "out"
    names = ["as is", "a block more at 100 Hz"]
    settings = ["data.crop_seconds=0.32", "data.min_band_edge=0.0", 'initialize="random"']
    command = ["--data", data, "--test", data, "--out", str(out), "--minutes", "0"]
    command += ["--log-every", "1", "--count", "1", "--only", *names, "--set", *settings]
    search.main(command)
    results = [json.loads(path.read_text()) for path in sorted(out.glob("*/result.json"))]
    assert [result["name"] for result in results] == names[::-1]
    assert all(result["steps"] == 1 for result in results)  # the time was over after the first
    assert results[0]["parameters"] > results[1]["parameters"]
    layers = [
        CausalAudioTokenizer.from_pretrained(path).config.encoder[1].layers
        for path in sorted(out.glob("*/run/model"))
    ]
    assert layers == [2, 1]
    table = (out / "search.md").read_text()
    assert all(f"| {name} |" in table for name in names)
    times = [path.stat().st_mtime_ns for path in sorted(out.glob("*/result.json"))]
    search.main(command)
    assert times == [path.stat().st_mtime_ns for path in sorted(out.glob("*/result.json"))]
