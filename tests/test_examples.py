"""The examples run as a user would run them, on a small model with random weights."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import soundfile
import torch

from catok import CausalAudioTokenizer, Encoded, load_audio, save_audio

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(small_model: CausalAudioTokenizer, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model")
    small_model.save_pretrained(path)
    return str(path)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The first three seconds of the bundled recording, to save time."""
    speech, rate = load_audio(EXAMPLES / "speech.flac")
    path = tmp_path_factory.mktemp("clip") / "clip.wav"
    save_audio(path, speech[:, : 3 * rate - 100], rate)
    return str(path)


def test_the_recording_and_its_licence():
    audio, rate = load_audio(EXAMPLES / "speech.flac")
    assert (rate, audio.shape[0]) == (24_000, 1)
    assert 8 <= audio.shape[1] / rate <= 12
    licence = (EXAMPLES / "speech.LICENSE.md").read_text()
    assert "CC-BY-SA-3.0" in licence and "Allison Smith" in licence


def test_streaming_equals_offline(folder, clip, capsys):
    different, difference = load("streaming").main([clip, "--model", folder])
    assert different == 0
    assert difference < 1e-5
    assert "first audio after 111 ms of input; a frame is 80 ms" in capsys.readouterr().out


def test_batch_saves_what_each_row_gives_alone(folder, tmp_path):
    files = load("batch").main(["--model", folder, "--out", str(tmp_path), "--quantizers", "4"])
    speech, rate = load_audio(EXAMPLES / "speech.flac")
    tokenizer = CausalAudioTokenizer.from_pretrained(folder)
    for file, seconds in zip(files, (2, 3, 5), strict=True):
        alone = tokenizer.encode(speech[None, :, : seconds * rate], num_quantizers=4)
        saved = Encoded.load(file)
        assert torch.equal(saved.codes, alone.codes)
        assert torch.equal(saved.sample_lengths, alone.sample_lengths)


def test_batch_of_own_files(folder, tmp_path):
    for name, samples in (("one", 5000), ("two", 44_100)):
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * torch.randn(samples).numpy(), 44_100)
    recordings = [str(tmp_path / f"{name}.wav") for name in ("one", "two")]
    files = load("batch").main([*recordings, "--model", folder, "--out", str(tmp_path / "codes")])
    lengths = [int(Encoded.load(file).sample_lengths) for file in files]
    assert lengths == [-(-5000 * 24_000 // 44_100), 24_000]
    with pytest.raises(SystemExit):
        load("batch").main([recordings[0], recordings[0], "--model", folder])


def test_demo_writes_files_table_and_picture(folder, clip, tmp_path, capsys):
    for extra in ("matplotlib", "pesq", "pystoi"):
        pytest.importorskip(extra)
    results = load("demo").main(["--model", folder, "--audio", clip, "--out", str(tmp_path)])
    assert [result.codebooks for result in results] == [4, 8]  # the small model has no more
    names = {path.name for path in tmp_path.iterdir()}
    sounds = {"original.wav", "speech_4.wav", "speech_8.wav"}
    assert names == sounds | {"speech_4.cat", "speech_8.cat", "demo.png"}
    frames = {soundfile.info(tmp_path / name).frames for name in sounds}
    assert len(frames) == 1

    for result in results:
        assert result.bitrate == result.codebooks * 6 * 12.5
        assert result.file_bytes == (tmp_path / f"speech_{result.codebooks}.cat").stat().st_size
        assert result.file_bitrate > result.bitrate
        assert result.stoi is not None and result.stoi < 1
    codes = [Encoded.load(tmp_path / f"speech_{k}.cat").codes for k in (4, 8)]
    assert torch.equal(codes[0], codes[1][:, :4])
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")
    assert "PESQ-WB" in capsys.readouterr().out
