"""What discriminators make of a codec's output."""

import json

import pytest
import torch
from research.tiny import judge

from catok import save_audio
from tests.conftest import build, small_settings

pytestmark = pytest.mark.slow

pytest.importorskip("pystoi")
pytest.importorskip("pesq")


class Sure(torch.nn.Module):
    """Knows by heart that the first half of a batch is real."""

    def forward(self, pair):
        half = len(pair) // 2
        return [[torch.cat([torch.ones(half, 1, 3), torch.zeros(half, 1, 3)])]]


def test_the_loss_of_who_is_sure_and_of_who_cannot_tell(tmp_path):
    tok = build(small_settings())
    file = tmp_path / "a.wav"
    save_audio(file, 0.1 * torch.randn(30_000, generator=torch.Generator().manual_seed(0)), 24_000)
    assert judge.judge(tok, Sure(), [file], seconds=0.2, depths=(1, 2)) == {1: 0.0, 2: 0.0}
    unsure = Sure()
    unsure.forward = lambda pair: [[torch.full((len(pair), 1, 3), 0.5)]]
    found = judge.judge(tok, unsure, [file], seconds=99.0, depths=(1,))
    assert found == {1: pytest.approx(0.5)}


def test_the_embedded_ones_can_tell(tmp_path, capsys):
    lines = []
    for index, seconds in enumerate((1.2, 0.5)):
        noise = 0.1 * torch.randn(int(24_000 * seconds))
        save_audio(tmp_path / f"{index}.wav", noise, 24_000)
        lines.append(json.dumps({"audio": f"{index}.wav", "duration": seconds}))
    (tmp_path / "all.jsonl").write_text("\n".join(lines))
    judge.main(["--data", str(tmp_path / "all.jsonl")])
    row = capsys.readouterr().out.splitlines()[2].split("|")
    assert row[1].strip() == "all, 1 recordings"
    assert all(0 < float(cell) < 0.5 for cell in row[2:6])
