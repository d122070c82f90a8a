"""`catok tts` on a small random model."""

import io
import json
from dataclasses import replace

import pytest
import torch

from catok import load_audio
from catok.cli import main
from catok.cli.utterances import TextItem
from catok.lm.asr import Recognizer
from catok.lm.tts import SpeechRequest
from catok.lm.tts.best_of_n import BestOfN
from tests.lm.asr.conftest import make, save_recognizer
from tests.lm.tts.conftest import save_speech_model

from .conftest import SHORT, near


@pytest.mark.slow
def test_what_the_model_never_read_is_named(small_model, tmp_path, capsys):
    known = {"languages": ("en",), "characters": " .abcdefghijklmnopqrstuvwxyz"}
    folder = save_speech_model(tmp_path / "model", small_model, **known)
    common = ["--model", str(folder), *SHORT]
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "a.txt").write_text("Na\u00efve 5.")
    (texts / "b.txt").write_text("Na\u00efve.")
    main(["tts", f"@{texts}", "-o", str(tmp_path / "out"), *common])
    assert capsys.readouterr().err.count("hardly ever read \u00ef:") == 1
    main(["tts", "5.", "-o", str(tmp_path / "x.wav"), "--verbalize", "no", *common])
    assert "hardly ever read 5:" in capsys.readouterr().err
    main(["tts", "5.", "-o", str(tmp_path / "y.wav"), *common])
    assert "hardly" not in capsys.readouterr().err


def test_a_text(tts, synth, tmp_path, capsys):
    assert tts("Hello.", "-o", tmp_path / "out.wav") == 0
    (expected,) = synth.synthesize([SpeechRequest("Hello.", seed=0, max_seconds=0.5)])
    assert near(tmp_path / "out.wav", expected.audio)
    line = capsys.readouterr().err
    assert f"spoke 1 of 1 texts, {expected.seconds:.2f} s of audio, the first after" in line
    (tmp_path / "said.txt").write_text("Hello.\n")
    for number, source in enumerate((f"@{tmp_path}/said.txt", f"--file={tmp_path}/said.txt")):
        assert tts(source, "-o", tmp_path / f"{number}.flac") == 0
        assert near(tmp_path / f"{number}.flac", expected.audio)


def test_options_reach_the_model(tts, synth, reference, tmp_path):
    how = ("--reference", reference, "--reference-text", "Said.", "--quantizers", "2")
    how += ("--temperature", "0", "--text-temperature", "1.9", "--guidance", "3")
    how += ("--language", "en", "--seed", "5", "--mode", "both", "--instruction", "Whisper.")
    how += ("--tokens", "9", "--quality", "clean", "--sound-event", "rain")
    how += ("--ambient-sound", "street")
    assert tts("Hello.", "-o", tmp_path / "out.wav", *how) == 0
    chosen = {"audio_temperature": 0.0, "text_temperature": 1.9, "guidance": 3.0}
    sampling = replace(synth.sampling, **chosen)
    request = SpeechRequest(
        "Hello.",
        reference,
        "Said.",
        mode="both",
        instruction="Whisper.",
        tokens=9,
        quality="clean",
        sound_event="rain",
        ambient_sound="street",
        language="en",
        num_quantizers=2,
        sampling=sampling,
        seed=5,
        max_seconds=0.5,
    )
    (expected,) = synth.synthesize([request])
    assert expected.codes.shape[0] == 2 and expected.codes.shape[1] > 0
    assert near(tmp_path / "out.wav", expected.audio)


def test_the_best_of_several_readings(tts, synth, small_model, tmp_path):
    judge = save_recognizer(tmp_path / "judge", make(small_model), str(tmp_path / "codec"))
    small_model.save_pretrained(tmp_path / "codec")
    how = ("--candidates", "4", "--asr", judge)
    assert tts("Hello.", "-o", tmp_path / "out.wav", *how) == 0
    (tmp_path / "list.jsonl").write_text(json.dumps({"id": "x", "text": "Hello."}) + "\n")
    assert tts(f"@{tmp_path}/list.jsonl", "-o", tmp_path / "out", *how) == 0
    best_of = BestOfN(Recognizer.from_pretrained(judge), 4)
    for file, seed in (("out.wav", 0), ("out/x.wav", TextItem("x", "Hello.").seed(0))):
        request = SpeechRequest("Hello.", seed=seed, max_seconds=0.5)
        (best,) = best_of.synthesize(synth, [request])
        assert near(tmp_path / file, best.audio)
    assert tts("Hello.", "-o", tmp_path / "no.wav", "--candidates", "0") == 2


def test_long_text_is_spoken_by_sentences(tts, synth, tmp_path, capsys):
    text = "One sentence. And another."
    assert tts(text, "-o", tmp_path / "out.wav", "--max-length", "15", "--pause", "0.1") == 0
    request = SpeechRequest(text, seed=0, max_seconds=0.5)
    stream = synth.synthesize_long(request, max_length=15, pause=0.1)
    assert len(stream.texts) == 2
    assert near(tmp_path / "out.wav", torch.cat(list(stream), dim=1))


def test_standard_output_is_heard_while_it_is_made(tts, synth, capsysbinary):
    expected = synth.synthesize([SpeechRequest("Hello.", seed=0, max_seconds=0.5)])[0].audio
    assert tts("Hello.", "-o", "-") == 0
    data = capsysbinary.readouterr().out
    assert near(io.BytesIO(data), expected)
    assert tts("Hello.", "-o", "-", "--raw") == 0
    assert capsysbinary.readouterr().out == data[44:]
    assert len(data) == 44 + 2 * expected.shape[1]


def test_lines_of_standard_input(tts, stdin, synth, capsysbinary):
    stdin(b"Hello.\n\nYou there.\n")
    assert tts("-", "-o", "-", "--pause", "0.05") == 0
    captured = capsysbinary.readouterr()
    found, _ = load_audio(io.BytesIO(captured.out))
    assert b"spoke 2 of 2 texts" in captured.err
    requests = [
        SpeechRequest(text, seed=TextItem(key, text).seed(0), max_seconds=0.5)
        for key, text in (("1", "Hello."), ("2", "You there."))
    ]
    parts = [speech.audio for speech in synth.synthesize(requests)]
    expected = torch.cat([parts[0], torch.zeros(1, 1200), parts[1]], dim=1)
    assert torch.allclose(found, expected.clamp(-1, 1), atol=2 / 32768)


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (("-o", "x.wav"), 2, "name the text to speak"),
        (("Hi.", "--file", "x.txt", "-o", "x.wav"), 2, "but not both"),
        (("Hi.", "--raw", "-o", "x.wav"), 2, "--raw is for standard output"),
        (("@nowhere.txt", "-o", "x.wav"), 1, "nowhere.txt does not exist: check the path"),
        (("ref.wav", "-o", "x.wav"), 2, "write @ref.wav"),
        (("Hi.", "-o", "x.wav", "--quantizers", "9"), 1, "from 1 to 4, got 9"),
        (("Hi.", "-o", "x.wav", "--top-p", "2"), 1, "audio_top_p must be"),
        (("  ", "-o", "x.wav"), 1, "no text to speak"),
        (("-", "-o", "x.wav"), 1, "standard input is empty"),
        (("@empty", "-o", "x"), 1, "holds no .txt files"),
        (("@two.jsonl", "-o", "x"), 1, "two utterances a"),
        (("@bad.jsonl", "-o", "x"), 1, "line 1: not JSON"),
        (("@key.jsonl", "-o", "x"), 1, "unknown keys"),
        (("@field.jsonl", "-o", "x"), 1, "line 1: tokens must be at least 1"),
        (("Hi.", "-o", "x.wav", "--instruction", " "), 1, "instruction is empty"),
        (("@away.jsonl", "-o", "x"), 1, "inside the output folder"),
        (("@fine.jsonl", "-o", "-"), 2, "name a folder"),
        (("A longer text.", "-o", "x.wav", "--seed", "3"), 1, "try another --seed"),
    ],
)
def test_bad_input(tts, reference, stdin, tmp_path, monkeypatch, capsys, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    stdin(b"\n")
    (tmp_path / "empty").mkdir()
    for name, text in {
        "two": '{"id": "a", "text": "x"}\n' * 2,
        "bad": "text",
        "key": '{"txt": "x"}',
        "field": '{"text": "x", "tokens": 0}',
        "away": '{"id": "../a", "text": "x"}',
        "fine": '{"text": "x"}',
    }.items():
        (tmp_path / f"{name}.jsonl").write_text(text)
    assert tts(*arguments) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x.wav").exists()


def test_without_an_embedded_model_the_command_says_so(tmp_path, monkeypatch, capsys):
    from catok.io import hub

    monkeypatch.setattr(hub, "EMBEDDED", tmp_path)
    assert main(["tts", "Hi.", "-o", str(tmp_path / "x.wav")]) == 1
    assert "no tiny-tts model in it: name one with --model" in capsys.readouterr().err
