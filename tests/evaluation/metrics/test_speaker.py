"""Speaker similarity: a fake embedder, the packaged encoder, and a small random WavLM."""

import math
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from catok.audio.resampling import resample
from catok.evaluation.extras import package_file
from catok.evaluation.metrics.resemblyzer import (
    ResemblyzerEmbedder,
    normalize_loudness,
    piece_starts,
    smooth_marks,
    widen_marks,
)
from catok.evaluation.metrics.speaker import SpeakerSimilarity, build_embedder
from catok.evaluation.sample import Sample


class Angle:
    """The first sample as an angle; counts its calls."""

    name = "angle"

    def __init__(self) -> None:
        self.calls = 0

    def embed(self, samples):
        self.calls += 1
        if len(samples) < 10:
            raise ValueError("too short")
        return np.array([math.cos(samples[0]), math.sin(samples[0])])


def constant(angle: float, length: int = 20) -> torch.Tensor:
    return torch.full((1, length), angle)


def test_cosine_of_whole_signals_and_the_reference_is_kept():
    embedder = Angle()
    metric = SpeakerSimilarity(embedder)
    for start, length in ((0.1, 20), (0.1, 50), (0.2, 20)):
        sample = Sample("k", constant(start), constant(start + math.pi / 3, length), 16_000)
        assert metric(sample) == {"sim": pytest.approx(0.5, abs=1e-6)}
    assert embedder.calls == 2 + 3  # the key is a name: another original may have the same


def test_the_signal_at_fault_is_named():
    metric = SpeakerSimilarity(Angle())
    with pytest.raises(ValueError, match="output: too short"):
        metric(Sample("a", constant(1.0), constant(1.0, 5), 16_000))
    with pytest.raises(ValueError, match="reference signal is silent"):
        metric(Sample("b", constant(0.0), constant(1.0), 16_000))


@given(st.lists(st.integers(0, 1), max_size=40))
def test_smoothing_and_widening(marks):
    padded = [0] * 3 + marks + [0] * 4
    majority = [sum(padded[i : i + 8]) > 4 for i in range(len(marks))]
    assert smooth_marks(np.array(marks, dtype=int)).tolist() == majority
    near = [any(marks[max(0, i - 3) : i + 4]) for i in range(len(marks))]
    assert widen_marks(np.array(marks, dtype=bool)).tolist() == near


def test_pieces_of_a_recording():
    assert piece_starts(16_000) == [0]
    assert piece_starts(5 * 16_000) == [0, 77, 154, 231, 308]
    assert piece_starts(160 * (77 + 119)) == [0] != piece_starts(160 * (77 + 120))


@pytest.fixture(scope="module")
def encoder() -> ResemblyzerEmbedder:
    try:
        package_file("resemblyzer", "pretrained.pt")
    except ValueError:
        pytest.skip("Resemblyzer is not installed")
    pytest.importorskip("webrtcvad")
    return ResemblyzerEmbedder()


def test_the_same_voice_is_nearer_than_noise(encoder, speech):
    metric = SpeakerSimilarity(encoder)
    halves = speech[:, :32_000], speech[:, 32_000:]
    same = metric(Sample("a", speech, speech, 16_000))["sim"]
    near = metric(Sample("b", *halves, 16_000))["sim"]
    lower = resample(speech, 16_000, 24_000)  # heard at 16 kHz: slower and deeper
    far = metric(Sample("c", speech, lower, 16_000))["sim"]
    assert same == pytest.approx(1, abs=1e-5)
    assert far < near - 0.05 < 0.95


@pytest.mark.parametrize("gain", [0.01, 0.3, 3])
def test_gain_does_not_matter(encoder, speech, gain):
    sample = Sample("a", speech, gain * speech, 16_000)
    assert SpeakerSimilarity(encoder)(sample)["sim"] == pytest.approx(1, abs=1e-4)


def test_too_little_voice(encoder, speech):
    with pytest.raises(ValueError, match=r"of voice found"):
        encoder.embed(speech[0, 8000:12_000].numpy())
    noise = np.random.default_rng(0).standard_normal(32_000).astype(np.float32)
    with pytest.raises(ValueError, match=r"only 0\.00 s of voice"):
        encoder.embed(1e-3 * noise)


@pytest.mark.slow
def test_equals_resemblyzer(encoder, speech, recwarn):
    pytest.importorskip("librosa")
    pytest.importorskip("scipy.ndimage.morphology")
    resemblyzer = pytest.importorskip("resemblyzer")
    theirs = resemblyzer.VoiceEncoder("cpu", verbose=False)
    for samples in (normalize_loudness(speech[0].numpy()), 0.01 * speech[0, :30_000].numpy()):
        expected = theirs.embed_utterance(resemblyzer.preprocess_wav(samples.copy()))
        assert np.abs(encoder.embed(samples) - expected).max() < 1e-5


def test_missing_packages_are_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "resemblyzer", None)
    with pytest.raises(ValueError, match="resemblyzer is not installed.*--no-deps Resemblyzer"):
        ResemblyzerEmbedder()
    monkeypatch.setitem(sys.modules, "webrtcvad", None)
    with pytest.raises(ValueError, match=r'webrtcvad is not installed: .*"catok\[eval,offline\]"'):
        ResemblyzerEmbedder()


@pytest.fixture(scope="module")
def wavlm(tmp_path_factory) -> str:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.WavLMConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        tdnn_dim=(8, 8, 8, 8, 16),
        xvector_output_dim=12,
    )
    folder = tmp_path_factory.mktemp("wavlm")
    transformers.WavLMForXVector(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return str(folder)


def test_wavlm_from_a_folder(wavlm, speech):
    embedder = build_embedder(wavlm)
    first = embedder.embed(speech[0].numpy())
    assert first.shape == (12,) and np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    assert first @ embedder.embed(0.3 * speech[0].numpy()) == pytest.approx(1, abs=1e-4)
    assert np.abs(first - embedder.embed(speech[0, :20_000].numpy())).max() > 1e-4
    with pytest.raises(ValueError, match=r"a speaker needs 0\.5 s"):
        embedder.embed(speech[0, :7999].numpy())


def test_other_folders_are_refused(tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(ValueError, match="cannot load a WavLM speaker model"):
        build_embedder(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="it is a bert model"):
        build_embedder(str(tmp_path))
