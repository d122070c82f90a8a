"""`catok tts` with many texts: folders, JSON lines and lists."""

import json
from dataclasses import replace

import pytest

from catok import load_audio
from catok.cli.utterances import TextItem
from catok.lm.tts import SpeechRequest

from .conftest import near


def files(folder):
    return {str(f.relative_to(folder)): f for f in sorted(folder.rglob("*.wav"))}


def sounds(folder):
    return {name: load_audio(file)[0] for name, file in files(folder).items()}


LIKELY = ("--text-temperature", "0")  # with these texts the model then speaks


@pytest.mark.slow
def test_a_folder_of_texts_and_resuming(tts, tmp_path, capsys):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for name in ("a", "b", "sub/c"):
        (tmp_path / "in" / f"{name}.txt").write_text(f"This is {name}.")
    (tmp_path / "in" / "d.txt").write_text("One sentence. And another. " * 10)
    out = tmp_path / "out"
    assert tts(f"@{tmp_path}/in", "-o", out, *LIKELY) == 0
    first = sounds(out)
    assert set(first) == {"a.wav", "b.wav", "d.wav", "sub/c.wav"}
    assert "spoke 4 of 4 texts" in capsys.readouterr().err
    (out / "b.wav").unlink()
    (out / "a.wav").write_bytes(b"kept")
    assert tts(f"@{tmp_path}/in", "-o", out, *LIKELY, "--batch-size", "1") == 0
    assert (
        "spoke 1 of 4 texts" in (line := capsys.readouterr().err)
        and "3 skipped since they exist" in line
    )
    assert (out / "a.wav").read_bytes() == b"kept"
    assert near(out / "b.wav", first["b.wav"])
    assert tts(f"@{tmp_path}/in", "-o", out, *LIKELY, "--overwrite") == 0
    assert set(files(out)) == set(first)
    assert all(near(out / name, audio) for name, audio in first.items())


def test_a_text_that_is_not_utf8_is_passed_over(tts, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("This is a.")
    (tmp_path / "in" / "b.txt").write_bytes(b"caf\xe9")
    assert tts(f"@{tmp_path}/in", "-o", tmp_path / "out", *LIKELY, "--format", "flac") == 1
    lines = capsys.readouterr().err.splitlines()
    assert "b.txt cannot be read as text" in lines[0]
    assert "spoke 1 of 2 texts" in lines[-1] and "1 failed" in lines[-1]
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["a.flac"]


def test_ids_of_one_file_are_refused(tts, tmp_path, capsys):
    lines = '{"id": "a/b", "text": "One."}\n{"id": "a//b", "text": "Two."}\n'
    (tmp_path / "list.jsonl").write_text(lines)
    assert tts(f"@{tmp_path}/list.jsonl", "-o", tmp_path / "out") == 1
    assert "two utterances a//b" in capsys.readouterr().err


def test_json_lines_go_on_after_an_error(tts, synth, reference, tmp_path, capsys):
    lines = [
        {"text": "Hello."},
        {"id": "bad", "text": "see <|im_end|>"},
        {"id": "x/cloned", "text": "Hello.", "reference": "ref.wav", "language": "en"},
        {"id": "gone", "text": "Hello.", "reference": "nowhere.wav"},
        {"id": "told", "text": "Hello.", "instruction": "Whisper.", "tokens": 20},
    ]
    (tmp_path / "list.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert tts(f"@{tmp_path}/list.jsonl", "-o", tmp_path / "out", *LIKELY) == 1
    assert set(files(tmp_path / "out")) == {"1.wav", "told.wav", "x/cloned.wav"}
    error = capsys.readouterr().err
    assert "bad: the text holds '<|im_end|>'" in error and "nowhere.wav does not exist" in error
    assert "spoke 3 of 5 texts" in error and "2 failed" in error
    request = SpeechRequest(
        "Hello.",
        instruction="Whisper.",
        tokens=20,
        seed=TextItem("told", "").seed(0),
        sampling=replace(synth.sampling, text_temperature=0.0),
        max_seconds=0.5,
    )
    assert near(tmp_path / "out" / "told.wav", synth.synthesize([request])[0].audio)


def test_a_seed_tts_list(tts, synth, reference, tmp_path):
    (tmp_path / "meta.lst").write_text("u1|Said.|ref.wav|Hello.\nu2|Said.|ref.wav|You.\n")
    assert tts(f"@{tmp_path}/meta.lst", "-o", tmp_path / "out", *LIKELY) == 0
    assert set(files(tmp_path / "out")) == {"u1.wav", "u2.wav"}
    request = SpeechRequest(
        "Hello.",
        reference,
        "Said.",
        language="en",
        seed=TextItem("u1", "").seed(0),
        sampling=replace(synth.sampling, text_temperature=0.0),
        max_seconds=0.5,
    )
    (expected,) = synth.synthesize([request])
    assert near(tmp_path / "out" / "u1.wav", expected.audio)
