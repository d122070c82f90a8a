"""Recognition and synthesis shared out, over processes and over machines: the same results."""

import json

import pytest

from catok import load_audio, save_audio
from catok.cli import main
from tests.lm.asr.conftest import make, noise, save_recognizer
from tests.lm.tts.conftest import save_speech_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recognizer_folder(small_model, model_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("asr") / "model"
    return save_recognizer(folder, make(small_model), str(model_folder))


def test_recordings_are_recognised_by_several(recognizer_folder, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for seed in range(4):
        save_audio(tmp_path / "in" / f"{seed}.wav", noise(9_000, seed=seed), 24_000)
    (tmp_path / "in" / "broken.wav").write_text("no audio")

    def asr(out, *options):
        how = ("--method", "ctc", "--model", str(recognizer_folder), *options)
        code = main(["asr", str(tmp_path / "in"), "-o", str(tmp_path / out), *how])
        return code, sorted((tmp_path / out).read_text().splitlines())

    code, expected = asr("one.jsonl")
    assert code == 1 and len(expected) == 4
    capsys.readouterr()
    assert asr("two.jsonl", "--workers", "2") == (1, expected)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "broken.wav" in lines[0]
    assert "transcribed 4 of 5 files" in lines[1] and f"in {tmp_path}/two.jsonl" in lines[1]
    parts = [asr(f"{part}.jsonl", "--shard", f"{part}/2") for part in (1, 2)]
    assert sorted(parts[0][1] + parts[1][1]) == expected
    assert {code for code, _ in parts} == {0, 1}
    assert [json.loads(line)["id"] for line in expected] == ["0", "1", "2", "3"]


def test_texts_are_spoken_by_several(small_model, tmp_path, capsys):
    model = save_speech_model(tmp_path / "model", small_model)
    rows = [{"id": f"u{n}", "text": f"Text {n}."} for n in range(4)] + [{"text": "<|im_end|>"}]
    (tmp_path / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def tts(out, *options):
        how = ("--max-seconds", "0.5", "--text-temperature", "0", "--batch-size", "2")
        arguments = ["tts", f"@{tmp_path}/list.jsonl", "-o", str(tmp_path / out), *how, *options]
        code = main([*arguments, "--model", str(model)])
        return code, {f.name: load_audio(f)[0] for f in (tmp_path / out).iterdir()}

    def same(found, expected):
        return found.keys() == expected.keys() and all(
            found[name].shape == audio.shape and (found[name] - audio).abs().max() < 2 / 32768
            for name, audio in expected.items()
        )

    code, expected = tts("one")
    assert code == 1 and len(expected) == 4
    capsys.readouterr()
    code, found = tts("two", "--workers", "2")
    assert code == 1 and same(found, expected)
    last = capsys.readouterr().err.splitlines()[-1]
    assert "spoke 4 of 5 texts" in last and f"in {tmp_path}/two" in last and "1 failed" in last
    for part in ("1/2", "2/2"):
        tts("three", "--shard", part)
    assert same({f.name: load_audio(f)[0] for f in (tmp_path / "three").iterdir()}, expected)
    one = ["tts", "Hi.", "-o", str(tmp_path / "x.wav"), "--model", str(model)]
    assert main([*one, "--workers", "2"]) == 2
    assert "are for several texts" in capsys.readouterr().err
