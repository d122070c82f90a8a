"""A head learns to listen to codes made once; stopped, it goes on as if it had not been."""

import json

import pytest
import torch
from research.tiny import listen

from catok import save_audio
from catok.training.codec.semantic.head import SemanticHead
from tests.conftest import build, small_settings

pytestmark = pytest.mark.slow

pytest.importorskip("pystoi")
pytest.importorskip("pesq")

SMALL = [
    "semantic.hidden_size=16",
    "semantic.layers=1",
    "semantic.heads=2",
    "semantic.key_value_heads=1",
    "semantic.intermediate_size=16",
    "data.max_seconds=1.0",
    "autocast=false",
]


@pytest.fixture
def arguments(tmp_path):
    """A codec, five noises with text, of which one is too long, and one without."""
    build(small_settings()).save_pretrained(tmp_path / "codec")
    lines = []
    for index in range(6):
        draw = torch.Generator().manual_seed(index)
        samples = 40_000 if index == 3 else 6_000 + 2_000 * index
        save_audio(tmp_path / f"{index}.wav", 0.1 * torch.randn(samples, generator=draw), 24_000)
        text = {} if index == 4 else {"text": "number " + "ab" * index}
        lines.append(json.dumps({"audio": f"{index}.wav", **text}))
    (tmp_path / "all.jsonl").write_text("\n".join(lines) + "\n")
    data = str(tmp_path / "all.jsonl")
    return ["--model", str(tmp_path / "codec"), "--data", data, "--valid", data, "--test", data]


def run(arguments, out):
    extra = ["--out", str(out), "--steps", "6", "--every", "2", "--rate", "0.01"]
    listen.main([*arguments, *extra, "--set", *SMALL])
    return SemanticHead.from_pretrained(out / "semantic").state_dict()


def test_listening_lowers_the_loss_and_resumes(arguments, tmp_path, monkeypatch, capsys):
    whole = run(arguments, tmp_path / "whole")
    said = capsys.readouterr().out
    assert "4 recordings to learn from" in said
    table = (tmp_path / "whole" / "text.md").read_text()
    assert table in said and "| all, 4 recordings |" in table
    lines = (tmp_path / "whole" / "listen.jsonl").read_text().splitlines()
    losses = [json.loads(line)["unseen"] for line in lines]
    assert len(losses) == 3 and losses[-1] < losses[0]

    def interrupted(*_):
        raise KeyboardInterrupt

    measured = listen.loss_of
    once = iter([measured, interrupted])
    monkeypatch.setattr(listen, "loss_of", lambda *given: next(once)(*given))
    with pytest.raises(KeyboardInterrupt):
        run(arguments, tmp_path / "parts")
    monkeypatch.setattr(listen, "loss_of", measured)
    parts = run(arguments, tmp_path / "parts")
    assert all(torch.equal(parts[name], whole[name]) for name in whole)


def test_nothing_to_hear(arguments, tmp_path):
    codec = listen.CausalAudioTokenizer.from_pretrained(tmp_path / "codec")
    with pytest.raises(ValueError, match="is as short as"):
        listen.hear(codec, arguments[3], tmp_path / "x", longest=0.01)
    (tmp_path / "mute.jsonl").write_text('{"audio": "0.wav"}\n')
    with pytest.raises(ValueError, match="no recording with text"):
        listen.hear(codec, tmp_path / "mute.jsonl", tmp_path / "x")
