"""`catok score` from files to files, with a recogniser that needs no model."""

import json

import pytest

from catok import save_audio
from catok.cli import main
from catok.evaluation import transcribers
from catok.io.lock import folder_lock

from .conftest import noise


class Parrot:
    """Always hears the same; `tired` after so many recordings."""

    name = "parrot"
    heard = 0
    tired: int | None = None

    def transcribe(self, audio, sample_rate, language=None) -> str:
        if Parrot.heard == Parrot.tired:
            raise KeyboardInterrupt
        Parrot.heard += 1
        return "red green"


@pytest.fixture
def asked(monkeypatch) -> list[str | None]:
    """Names of the recognisers that were asked for."""
    names: list[str | None] = []

    def build(name=None):
        names.append(name)
        return Parrot()

    monkeypatch.setattr(transcribers, "build_transcriber", build)
    monkeypatch.setattr(Parrot, "heard", 0)
    monkeypatch.setattr(Parrot, "tired", None)
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
    assert catok(line) == 1  # one is not scored
    out, err = capsys.readouterr()
    assert "| mean % | 50.00 |" in out and "| missing | 1 |" in out
    assert "1 of 2 are not scored, u2: there is no output" in err
    assert asked == ["tiny.en"]
    kept = facts(folder / "results" / "tts" / "summary.json")
    assert kept["recogniser"] == "parrot" and kept["words"] == "seed-tts-eval"


def test_tts_takes_the_multilingual_recogniser_for_other_languages(folder, asked):
    line = "score tts --list meta.lst --audio out --out r --language zh --metrics"
    assert catok(line) == 1
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


def test_asr_goes_on_where_it_was_stopped(folder, asked, capsys, monkeypatch):
    lines = [{"audio": "prompt.wav", "text": "Red.", "id": name} for name in "abc"]
    (folder / "m.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = "score asr --data m.jsonl --asr some/model --out r"
    monkeypatch.setattr(Parrot, "tired", 2)
    assert catok(command) == 130
    rows = (folder / "r" / "rows.jsonl").read_text()
    assert Parrot.heard == len(rows.splitlines()) == 2 and not (folder / "r/summary.json").exists()
    (folder / "r" / "rows.jsonl").write_text(rows[:-9])  # the second was being written
    monkeypatch.setattr(Parrot, "tired", None)
    capsys.readouterr()
    assert catok(command) == 0
    out, err = capsys.readouterr()
    assert "1 of 3 are there already" in err and "| utterances | 3 |" in out
    assert Parrot.heard == 4
    assert catok(command) == 0
    assert Parrot.heard == 4 and capsys.readouterr().out == out
    assert catok(command.replace("some/model", "other/model")) == 1
    err = capsys.readouterr().err
    assert "recogniser: 'some/model' then, 'other/model' now" in err and "or delete" in err
    (folder / "h.jsonl").write_text('{"id": "a", "text": "red"}\n')
    assert catok("score asr --data m.jsonl --hypotheses h.jsonl --out r") == 1
    assert "choose another --out" in capsys.readouterr().err


def test_tts_judges_what_is_new(folder, asked, capsys):
    command = "score tts --list meta.lst --audio out --out r --metrics"
    assert catok(command) == catok(command) == 1
    assert Parrot.heard == 1
    save_audio(folder / "out" / "u2.wav", noise(9000, seed=1), 16_000)
    assert catok(command) == 0
    assert Parrot.heard == 2
    save_audio(folder / "out" / "u1.wav", noise(9000, seed=2), 16_000)
    capsys.readouterr()
    assert catok(command) == 0
    assert Parrot.heard == 3 and "| missing | 0 |" in capsys.readouterr().out
    for change in ("--words standard", "--language zh", "--asr base"):
        assert catok(f"{command} {change}") == 1
    assert Parrot.heard == 3


def test_another_prompt_is_another_judgement(folder, asked):
    command = "score tts --list meta.lst --audio out --out r --metrics"
    assert catok(command) == 1 and Parrot.heard == 1
    save_audio(folder / "prompt.wav", noise(9000, seed=3), 16_000)
    assert catok(command) == 1 and Parrot.heard == 2
    assert catok(command) == 1 and Parrot.heard == 2


def test_two_runs_do_not_share_a_folder(folder, asked, capsys):
    with folder_lock("r"):
        for kind in ("asr --data m.jsonl --asr x", "tts --list meta.lst --audio out --metrics"):
            name, _, options = kind.partition(" ")
            assert catok(f"score {name} --out r {options}") == 1
            assert "r is in use by process" in capsys.readouterr().err
    assert Parrot.heard == 0


@pytest.mark.parametrize("more", ["", "--asr x --hypotheses h"])
def test_asr_needs_one_of_the_two(folder, more, capsys):
    assert catok(f"score asr --data m.jsonl --out r {more}") == 2
    assert "give --hypotheses, or --asr" in capsys.readouterr().err


def test_to_versa_and_back(folder, asked, capsys):
    assert catok("score versa-export --list meta.lst --audio out --out v") == 1
    out, err = capsys.readouterr()
    assert out == "v\n" and "u2: there is no output" in err
    (folder / "v" / "result.jsonl").write_text('{"key": "u1", "utmos": 3.5}\n')
    assert catok("score tts --list meta.lst --audio out --out r --metrics") == 1
    capsys.readouterr()
    back = "score versa-import --folders v --rows r/rows.jsonl --out joined.jsonl"
    assert catok(back) == 0
    assert capsys.readouterr().out == "v  versa_utmos  3.5\n"
    rows = [json.loads(line) for line in (folder / "joined.jsonl").read_text().splitlines()]
    assert [(row["wer"], row.get("versa_utmos")) for row in rows] == [(50, 3.5), (None, None)]


def test_versa_export_needs_a_run_or_a_list(folder, capsys):
    assert catok("score versa-export --out v --list meta.lst") == 2
    assert "give --run, or --list and --audio" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["score tts", "score asr", "evaluate"])
def test_help_names_every_kind_of_recogniser(command, capsys):
    with pytest.raises(SystemExit):
        catok(f"{command} --help")
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for form in ('"tiny.en"', '"base"', "folder of CTranslate2", "hub id", "catok:PATH"):
        assert form in said
