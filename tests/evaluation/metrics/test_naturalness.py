"""DNSMOS with the packaged networks; UTMOS with a scripted toy."""

import sys

import numpy as np
import pytest
import torch

from catok.evaluation.metrics.dnsmos import DnsmosMetric, DnsmosModel, window_starts
from catok.evaluation.metrics.utmos import UtmosMetric
from catok.evaluation.sample import Sample
from tests.evaluation.metrics.conftest import noisy

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dnsmos() -> DnsmosMetric:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("speechmos")
    return DnsmosMetric()


def test_noise_is_worse_than_speech(dnsmos, speech):
    scores = [
        dnsmos(Sample("a", speech, output, 16_000))
        for output in (speech, noisy(speech, 0.02), noisy(0 * speech, 0.1))
    ]
    assert set(scores[0]) == {column.name for column in DnsmosMetric.columns}
    for name in ("dnsmos_ovrl", "dnsmos_p808"):
        values = [score[name] for score in scores]
        assert values == sorted(values, reverse=True)
        assert 1 <= values[2] < values[0] - 0.5 < 4.5


@pytest.mark.parametrize("repeats", [1, 5])
def test_equals_speechmos(dnsmos, speech, repeats):
    pytest.importorskip("librosa")
    pytest.importorskip("requests")
    package = pytest.importorskip("speechmos.dnsmos")
    samples = np.tile(speech[0].numpy(), repeats)
    expected = package.run(samples, 16_000)
    found = dnsmos.model.scores(samples)
    assert found == pytest.approx(
        {name: float(expected[f"{name}_mos"]) for name in found}, abs=1e-3
    )


def test_windows_as_published():
    assert window_starts(int(9.01 * 16_000)) == [0]
    assert window_starts(12 * 16_000) == [0, 16_000, 32_000]
    assert window_starts(20 * 16_000) == [16_000 * s for s in range(7)]  # 7 to 10 are left out
    assert window_starts(34 * 16_000)[7:] == [24 * 16_000]


def test_short_and_clipped_outputs_have_scores(dnsmos, speech):
    for output in (speech[:, 8000:8100], 40 * speech):
        scores = dnsmos(Sample("a", speech, output, 16_000))
        assert all(0.5 < score < 5 for score in scores.values())


def test_a_silent_output_has_none(dnsmos, speech):
    with pytest.raises(ValueError, match="output signal is silent"):
        dnsmos(Sample("a", speech, 0 * speech, 16_000))


def test_missing_packages_are_explained(monkeypatch):
    for name in ("speechmos", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
        hint = rf'{name} is not installed: pip install "catok\[eval\]"'
        with pytest.raises(ValueError, match=hint):
            DnsmosModel()


class Toy(torch.nn.Module):
    def forward(self, audio: torch.Tensor, rate: int) -> torch.Tensor:
        assert rate == 16000
        return audio.abs().amax(dim=1) + audio.shape[1] / rate


@pytest.fixture
def toy(tmp_path) -> str:
    path = str(tmp_path / "utmos.pt")
    torch.jit.save(torch.jit.script(Toy()), path)
    return path


def test_utmos_calls_the_file(toy, speech):
    sample = Sample("a", speech, torch.full((2, 36_000), 0.5), 24_000)
    assert UtmosMetric(toy)(sample)["utmos"] == pytest.approx(2.0, abs=0.1)
    with pytest.raises(ValueError, match="output signal is silent"):
        UtmosMetric(toy)(Sample("a", speech, 0 * speech, 16_000))


def test_utmos_refuses_other_files(tmp_path):
    with pytest.raises(ValueError, match="is not a file"):
        UtmosMetric(str(tmp_path / "missing.pt"))
    (tmp_path / "text.pt").write_text("no")
    with pytest.raises(ValueError, match="not a TorchScript file"):
        UtmosMetric(str(tmp_path / "text.pt"))
