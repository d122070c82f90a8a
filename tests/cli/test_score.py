"""`catok score` from files to files, with a recogniser that needs no model."""

import json

import pytest

from catok import save_audio
from catok.cli import main
from catok.evaluation import transcribers

from .conftest import noise


class Parrot:
    """Always hears the same."""

    name = "parrot"

    def transcribe(self, audio, sample_rate, language=None) -> str:
        return "red green"


@pytest.fixture
def asked(monkeypatch) -> list[str | None]:
    """Names of the recognisers that were asked for."""
    names: list[str | None] = []

    def build(name=None):
        names.append(name)
        return Parrot()

    monkeypatch.setattr(transcribers, "build_transcriber", build)
    return names


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A list of two utterances, an output for one of them, and a manifest."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    for name in ("prompt.wav", "out/u1.wav"):
        save_audio(tmp_path / name, noise(9000), 16_000)
    (tmp_path / "meta.lst").write_text("u1|p|prompt.wav|Red, blue!\nu2|p|prompt.wav|Black.\n")
    line = {"audio": "prompt.wav", "text": "Red green.", "language": "en"}
    (tmp_path / "m.jsonl").write_text(json.dumps(line) + "\n")
    return tmp_path


def catok(line: str) -> int:
    """Run a command line, given as one writes it."""
    return main(line.split())


def facts(path) -> dict:
    return json.loads(path.read_text())["facts"]


def test_tts(folder, asked, capsys):
    line = "score tts --list meta.lst --audio out --out results/tts --metrics"
    assert catok(line) == 0
    out, err = capsys.readouterr()
    assert "| mean % | 50.00 |" in out and "| missing | 1 |" in out
    assert "1 of 2 are not scored, u2: there is no output" in err
    assert asked == ["tiny.en"]
    kept = facts(folder / "results" / "tts" / "summary.json")
    assert kept["recogniser"] == "parrot" and kept["words"] == "seed-tts-eval"


def test_tts_takes_the_multilingual_recogniser_for_other_languages(folder, asked):
    line = "score tts --list meta.lst --audio out --out r --language zh --metrics"
    assert catok(line) == 0
    assert asked == ["base"]


def test_tts_without_any_output(folder, asked, capsys):
    (folder / "out" / "u1.wav").unlink()
    assert catok("score tts --list meta.lst --audio out --out r") == 1
    assert "name them u1.wav" in capsys.readouterr().err
    assert not (folder / "r").exists()


def test_asr_by_hypotheses(folder, capsys):
    (folder / "h.jsonl").write_text('{"id": "prompt", "text": "red grey"}\n')
    assert catok("score asr --data m.jsonl --hypotheses h.jsonl --out r") == 0
    assert "| corpus % | 50.00 |" in capsys.readouterr().out


def test_asr_by_a_recogniser(folder, asked, capsys):
    assert catok("score asr --data m.jsonl --asr some/model --out r") == 0
    assert "| corpus % | 0.00 |" in capsys.readouterr().out
    assert asked == ["some/model"]


@pytest.mark.parametrize("more", ["", "--asr x --hypotheses h"])
def test_asr_needs_one_of_the_two(folder, more, capsys):
    assert catok(f"score asr --data m.jsonl --out r {more}") == 2
    assert "give --hypotheses, or --asr" in capsys.readouterr().err


def test_to_versa_and_back(folder, asked, capsys):
    assert catok("score versa-export --list meta.lst --audio out --out v") == 0
    out, err = capsys.readouterr()
    assert out == "v\n" and "u2: there is no output" in err
    (folder / "v" / "result.jsonl").write_text('{"key": "u1", "utmos": 3.5}\n')
    assert catok("score tts --list meta.lst --audio out --out r --metrics") == 0
    capsys.readouterr()
    back = "score versa-import --folders v --rows r/rows.jsonl --out joined.jsonl"
    assert catok(back) == 0
    assert capsys.readouterr().out == "v  versa_utmos  3.5\n"
    rows = [json.loads(line) for line in (folder / "joined.jsonl").read_text().splitlines()]
    assert [(row["wer"], row.get("versa_utmos")) for row in rows] == [(50, 3.5), (None, None)]


def test_versa_export_needs_a_run_or_a_list(folder, capsys):
    assert catok("score versa-export --out v --list meta.lst") == 2
    assert "give --run, or --list and --audio" in capsys.readouterr().err
