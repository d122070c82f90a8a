"""`catok asr` on a small random model."""

import json
import os

import pytest
import torch

from catok import load_audio, save_audio
from catok.cli import main
from catok.lm.asr import DecodingConfig, Recognizer
from tests.lm.asr.conftest import make, noise, save_recognizer


@pytest.fixture(scope="module")
def folder(small_model, model_folder, tmp_path_factory):
    """A recogniser whose codec is `small_model`."""
    path = tmp_path_factory.mktemp("asr") / "model"
    return save_recognizer(path, make(small_model), str(model_folder))


@pytest.fixture(scope="module")
def known(folder) -> Recognizer:
    """As the command loads it."""
    return Recognizer.from_pretrained(folder)


@pytest.fixture
def asr(folder):
    """Run the command with `--model` set; returns the exit code."""

    def run(*arguments) -> int:
        return main(["asr", *map(str, arguments), "--model", str(folder)])

    return run


def said(recognizer, path, **settings):
    """What the library makes of a file."""
    audio, rate = load_audio(path, sample_rate=24_000, channels=1)
    return recognizer.transcribe(audio, rate, DecodingConfig(**settings))


def test_one_recording_is_one_line(asr, known, recording, capsys):
    assert asr(recording, "--method", "ctc") == 0
    captured = capsys.readouterr()
    assert captured.out == said(known, recording, method="ctc").text + "\n"
    assert len(captured.out) > 5
    line = captured.err
    assert line.count("\n") == 1 and "transcribed 1.30 s of audio" in line and "real-time" in line


def test_methods_codebooks_and_beam_are_passed_on(asr, known, recording, tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    assert asr(recording, "--beam", "2", "--quantizers", "1", "-o", out) == 0
    assert capsys.readouterr().out == ""
    row = json.loads(out.read_text())
    expected = said(known, recording, beam=2, num_quantizers=1)
    assert (row["text"], row["ended"]) == (expected.text, expected.ended)
    assert row["log_prob"] == pytest.approx(expected.log_prob, abs=1e-3)
    assert row["seconds"] == pytest.approx(31_234 / 24_000, abs=1e-3)
    assert expected.text != said(known, recording).text and "words" not in row


def test_times(asr, known, recording, tmp_path, capsys):
    words = said(known, recording, method="ctc", timestamps=True).words
    assert asr(recording, "--method", "ctc", "--timestamps") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{w.start:.2f}\t{w.end:.2f}\t{w.text}" for w in words]
    assert asr(recording, "--method", "ctc", "--timestamps", "-o", tmp_path / "x.jsonl") == 0
    row = json.loads((tmp_path / "x.jsonl").read_text())
    assert [each[0] for each in row["words"]] == [w.text for w in words]
    assert asr(recording, "--method", "ctc", "-o", tmp_path / "x.srt") == 0
    subtitles = (tmp_path / "x.srt").read_text()
    assert subtitles.startswith("1\n00:00:0") and " --> " in subtitles
    assert words[0].text in subtitles


def test_cat_files_go_straight_in(asr, catok, recording, stdin, tmp_path, capsys):
    assert catok("encode", recording) == 0
    encoded = recording.with_suffix(".cat")
    assert asr(recording, "--method", "ctc") == asr(encoded, "--method", "ctc") == 0
    stdin(encoded.read_bytes())
    assert asr("-", "--method", "ctc") == 0
    stdin(recording.read_bytes())
    assert asr("-", "--method", "ctc") == 0
    first, *others = capsys.readouterr().out.splitlines()
    assert first and others == [first] * 3


def test_folders_hold_audio_or_cat_files(asr, catok, tmp_path, capsys):
    for name, seed in (("b", 1), ("a", 2)):
        save_audio(tmp_path / f"{name}.wav", noise(9_000, seed=seed), 24_000)
    assert catok("encode", tmp_path) == 0
    (tmp_path / "broken.wav").write_bytes(b"RIFF, or so they say")
    capsys.readouterr()
    out = tmp_path / "all.txt"
    assert asr(tmp_path, "--method", "ctc", "-o", out) == 1
    assert "transcribed 2 of 3 files" in capsys.readouterr().err
    lines = [line.split("\t") for line in out.read_text().splitlines()]
    assert [name for name, _ in lines] == [str(tmp_path / "a.wav"), str(tmp_path / "b.wav")]
    for file in tmp_path.glob("*.wav"):
        file.unlink()
    assert asr(tmp_path, "--method", "ctc") == 0
    again = [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()]
    assert again == [text for _, text in lines]


@pytest.mark.slow
def test_what_is_done_is_kept_and_gone_on_with(asr, tmp_path, monkeypatch, capsys):
    (tmp_path / "in").mkdir()
    for seed in range(4):
        save_audio(tmp_path / "in" / f"{seed}.wav", noise(9_000, seed=seed), 24_000)
    whole = {}
    for kind in ("txt", "jsonl"):
        whole[kind] = tmp_path / f"whole.{kind}"
        assert asr(tmp_path / "in", "--method", "ctc", "-o", whole[kind]) == 0
    transcribe, calls = Recognizer.transcribe_file, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return transcribe(*arguments)

    for kind, complete in whole.items():
        out = tmp_path / f"out.{kind}"
        with monkeypatch.context() as patch:
            calls.clear()
            patch.setattr(Recognizer, "transcribe_file", interrupted)
            assert asr(tmp_path / "in", "--method", "ctc", "-o", out) == 130
        lines = complete.read_text().splitlines(keepends=True)
        assert out.read_text() == "".join(lines[:2])
        out.write_text("".join(lines[:2]) + lines[2][:5])  # as a killed process may leave it
        capsys.readouterr()
        assert asr(tmp_path / "in", "--method", "ctc", "-o", out) == 0
        assert out.read_text() == complete.read_text()
        summary = capsys.readouterr().err
        assert "transcribed 2 of 4 files" in summary and "2 skipped since they exist" in summary
    out.write_text("something else")
    assert asr(tmp_path / "in", "--method", "ctc", "-o", out) == 0
    assert out.read_text() == complete.read_text()
    out.write_text("something else\n")
    assert asr(tmp_path / "in", "--method", "ctc", "-o", out) == 1
    assert "choose another -o, or replace it with --overwrite" in capsys.readouterr().err
    assert asr(tmp_path / "in", "--method", "ctc", "-o", out, "--overwrite") == 0
    assert out.read_text() == complete.read_text()


def test_two_runs_do_not_mix_in_one_file(asr, recording, tmp_path, capsys):
    from catok.cli.transcripts import TranscriptFile

    with TranscriptFile(str(tmp_path / "x.txt"), ".txt", anew=False):
        assert asr(recording, recording.parent, "-o", tmp_path / "x.txt") == 1
        assert "being written by another run" in capsys.readouterr().err
    assert not (tmp_path / "x.txt").exists()


def test_names_that_are_not_utf8_are_kept(asr, recording, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    name = os.fsdecode(b"caf\xe9")
    os.link(recording, folder / f"{name}.wav")
    for kind in ("jsonl", "txt"):
        assert asr(folder, "--method", "ctc", "-o", tmp_path / f"x.{kind}") == 0
        assert asr(folder, "--method", "ctc", "-o", tmp_path / f"x.{kind}") == 0
    (line,) = (tmp_path / "x.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(line)
    assert (row["audio"], row["id"]) == (str(folder / f"{name}.wav"), name)
    (line,) = (tmp_path / "x.txt").read_text(encoding="utf-8").splitlines()
    assert line.startswith(f"{folder}/caf\\xe9.wav\t")


def test_scoring_finds_recordings_in_sub_folders(asr, tmp_path, capsys):
    for seed, folder in enumerate(("x", "y")):
        (tmp_path / folder).mkdir()
        save_audio(tmp_path / folder / "a.wav", noise(9_000, seed=seed), 24_000)
    out = tmp_path / "h.jsonl"
    assert asr(tmp_path, "--method", "ctc", "-o", out) == 0
    texts = {row["id"]: row["text"] for row in map(json.loads, out.read_text().splitlines())}
    assert sorted(texts) == ["x/a", "y/a"] and texts["x/a"] != texts["y/a"]
    lines = [{"audio": f"{name}.wav", "text": text} for name, text in texts.items()]
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "y" / "y.trans.txt").write_text(f"a {texts['y/a']}\n")  # as LibriSpeech: a is y/a

    def scored(data) -> tuple[int, float]:
        command = ["score", "asr", "--hypotheses", str(out), "--out", str(tmp_path / "r")]
        assert main([*command, "--data", str(data)]) == 0
        (line,) = json.loads((tmp_path / "r" / "summary.json").read_text())["summary"]
        return line["scored"], line["corpus"]

    assert scored(tmp_path / "m.jsonl") == (2, 0)
    assert asr(tmp_path / "y", "--method", "ctc", "-o", out) == 1  # ids of the first run would mix
    assert asr(tmp_path / "y", "--method", "ctc", "-o", out, "--overwrite") == 0
    assert scored(tmp_path / "y") == (1, 0)


def test_streams_show_what_they_have(asr, known, recording, capsys):
    assert asr(recording, "--method", "greedy", "--stream") == 0
    captured = capsys.readouterr()
    assert captured.out == said(known, recording, method="greedy").text + "\n"
    *lines, summary = captured.err.splitlines()
    assert summary.startswith("catok: transcribed")
    assert len(lines) > 3 and lines[0].startswith("0.")
    assert (
        lines[-1].split("  ", 1)[1] == said(known, recording, method="ctc").text[: len(lines[-1])]
    )


def test_raw_sound_of_a_microphone(asr, known, stdin, capsys):
    sound = (noise(16_000)[0] * 32767).round().to(torch.int16)
    stdin(sound.numpy().tobytes() + b"x")  # half a sample at the end
    assert asr("-", "--pcm", "16000", "--method", "ctc") == 0
    audio = sound[None].float() / 32768
    expected = known.transcribe(audio, 16_000, DecodingConfig("ctc")).text
    assert capsys.readouterr().out == expected + "\n"


def test_errors_are_one_line(asr, folder, recording, tmp_path, capsys):
    def error(code: int, *arguments, run=asr) -> str:
        assert run(*arguments) == code
        captured = capsys.readouterr()
        assert captured.out == "" and captured.err.count("\n") == 1
        return captured.err

    assert "does not exist" in error(1, tmp_path / "nowhere.wav")
    assert ".txt, .jsonl, .srt" in error(2, recording, "-o", tmp_path / "out.doc")
    assert "create it first" in error(1, recording, "-o", tmp_path / "nowhere" / "out.txt")
    assert "srt file is of one" in error(2, recording, recording.parent, "-o", tmp_path / "x.srt")
    assert "give - as the only input" in error(2, recording, "--pcm", "16000")
    assert "from 1 to 4" in error(1, recording, "--quantizers", "9")
    assert "holds no" in error(1, folder)
    assert "no input" in error(2)

    def other(model: str):
        return lambda *arguments: main(["asr", *map(str, arguments), "--model", model])

    assert "no folder 'nothing'" in error(1, recording, run=other("nothing"))
    (folder / "ctc.safetensors").rename(tmp_path / "ctc.safetensors")
    try:
        assert "no CTC head" in error(1, recording, "--timestamps")
    finally:
        (tmp_path / "ctc.safetensors").rename(folder / "ctc.safetensors")


def test_the_judge_of_evaluation(folder, known, recording):
    from catok.evaluation.transcribers import build_transcriber

    judge = build_transcriber(f"catok:{folder}")
    audio, rate = load_audio(recording)
    assert judge.name == "catok model"
    expected = known.transcribe(audio, rate).text
    assert judge.transcribe(audio[0], rate, "en-GB") == expected
    assert judge.transcribe(audio[0].numpy(), rate) == expected
    with pytest.raises(ValueError, match="does not know the language 'fr'"):
        judge.transcribe(audio[0], rate, "fr")
    with pytest.raises(ValueError, match="no folder 'nothing'"):
        build_transcriber("catok:nothing")
