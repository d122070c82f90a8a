"""The ablation and its semantic comparison, from end to end in a few steps."""

import json

import pytest
import torch
from research.tiny.ablations import run, semantic

from catok import CausalAudioTokenizer, save_audio

pytestmark = pytest.mark.slow

pytest.importorskip("pystoi")
pytest.importorskip("pesq")

SMALL = [
    "log_every=1",
    "data.max_seconds=1.0",
    "data.batch_seconds=2.0",
    "data.min_band_edge=0.0",
    "data.domain_weights.speech=1.0",
    "gan.crop_seconds=0.1",
    "semantic.hidden_size=16",
    "semantic.layers=1",
    "semantic.heads=2",
    "semantic.key_value_heads=1",
    "semantic.intermediate_size=16",
    'initialize="random"',
]


@pytest.fixture
def corpus(tmp_path):
    """Short noises with text in all the domains that the recipe draws from."""
    lines = []
    for index, domain in enumerate(("speech", "speech", "music", "sound")):
        draw = torch.Generator().manual_seed(index)
        audio = 0.1 * torch.randn(50_000 if index == 1 else 20_000, generator=draw)
        save_audio(tmp_path / f"{index}.wav", audio, 24_000)
        facts = {"duration": len(audio) / 24_000, "domain": domain, "text": "hello"}
        lines.append(json.dumps({"audio": f"{index}.wav", **facts}))
    (tmp_path / "all.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path / "all.jsonl"


def test_ablations_and_semantic_comparison(corpus, tmp_path, capsys):
    out = tmp_path / "runs"
    data = [f"--data={corpus}", f"--test={corpus}"]
    names = ["full", "no_semantic"]
    steps = ["--steps-1=1", "--steps-2=1"]
    run.main([*data, f"--out={out}", *steps, "--only", *names, "--set", *SMALL])
    results = json.loads((out / "ablations.json").read_text())
    assert [result["name"] for result in results] == names
    assert all(result["seconds"].keys() == {"1", "2"} for result in results)
    assert results[0]["text"]["32"]["own"] > 0 and "text" not in results[1]
    assert results[0]["mean"]["32"].keys() >= {"mel", "stoi"}
    assert "| full | 1 + 1 |" in (out / "ablations.md").read_text()

    start = out / "no_semantic" / "model"
    listen = ["--listen=3", f"--valid={corpus}"]
    text = ["--steps=2", *listen, f"--out={tmp_path / 'text'}", "--set", *SMALL]
    semantic.main([*data, f"--start={start}", *text])
    found = json.loads((tmp_path / "text" / "semantic.json").read_text())
    assert [result["name"] for result in found] == ["frozen", "joint"]
    frozen, joint = found
    assert (tmp_path / "text" / "start" / "listen.jsonl").read_text().count("unseen") == 1
    assert frozen["text"]["32"]["own"] > 0 and joint["text"]["32"]["own"] > 0
    folders = [start, *(tmp_path / "text" / name / "model" for name in ("frozen", "joint"))]
    first, still, moved = (
        [p.detach() for p in CausalAudioTokenizer.from_pretrained(folder).encoder.parameters()]
        for folder in folders
    )
    assert all(map(torch.equal, first, still))
    assert not all(map(torch.equal, first, moved))
    capsys.readouterr()
