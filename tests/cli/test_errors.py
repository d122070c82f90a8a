"""Exit codes, and one line for every error."""

import pytest

from catok import CausalAudioTokenizer
from catok.cli import main
from catok.cli.errors import exit_code

from ..conftest import build, small_settings


def only_line(capsys) -> str:
    """The one line on stderr; nothing on stdout."""
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("catok: error: ") and captured.err.count("\n") == 1
    return captured.err


def test_a_missing_file(catok, tmp_path, capsys):
    assert catok("encode", tmp_path / "nowhere.wav") == 1
    assert "nowhere.wav does not exist" in only_line(capsys)
    assert not list(tmp_path.iterdir())


def test_not_audio(catok, tmp_path, capsys):
    (tmp_path / "text.wav").write_text("Once upon a time")
    assert catok("encode", tmp_path / "text.wav") == 1
    assert "text.wav is not audio" in only_line(capsys)
    assert catok("roundtrip", tmp_path / "text.wav", "-o", tmp_path / "out.wav") == 1
    assert "text.wav is not audio" in only_line(capsys)
    assert [file.name for file in tmp_path.iterdir()] == ["text.wav"]


def test_not_audio_on_standard_input(catok, stdin, capsys):
    stdin(b"Once upon a time")
    assert catok("encode", "-", "-o", "-") == 1
    assert "standard input" in only_line(capsys)


def test_a_corrupt_cat_file(catok, recording, tmp_path, capsys):
    assert catok("encode", recording, "-q") == 0
    path = recording.with_suffix(".cat")
    data = bytearray(path.read_bytes())
    data[-1] ^= 0xFF
    path.write_bytes(data)
    assert catok("decode", path, "-o", tmp_path / "out.wav") == 1
    assert "speech.cat is damaged (codebook 8)" in only_line(capsys)
    assert not (tmp_path / "out.wav").exists()
    path.write_bytes(b"CAT")
    assert main(["info", str(path)]) == 1
    assert "speech.cat" in only_line(capsys)


@pytest.mark.parametrize(
    "depth, expected", [("0", "--quantizers must be at least 1"), ("9", "from 1 to 8")]
)
def test_quantizers_that_do_not_exist(catok, recording, tmp_path, depth, expected, capsys):
    assert catok("encode", recording, "--quantizers", depth) == 1
    assert expected in only_line(capsys)
    out = tmp_path / "out.wav"
    assert catok("roundtrip", recording, "-o", out, "--quantizers", depth) == 1
    assert expected in only_line(capsys)
    assert catok("encode", recording, "-q") == 0
    assert catok("decode", recording.with_suffix(".cat"), "-o", out, "--quantizers", depth) == 1
    assert expected in only_line(capsys).replace("ask for", "from")
    assert not out.exists()


def test_codes_of_another_model(catok, recording, tmp_path, capsys):
    assert catok("encode", recording, "-q") == 0
    build(small_settings(), seed=1).save_pretrained(tmp_path / "other")
    arguments = [str(recording.with_suffix(".cat")), "-o", str(tmp_path / "out.wav")]
    assert main(["decode", *arguments, "--model", str(tmp_path / "other")]) == 1
    assert "made by another model (small" in only_line(capsys)
    assert not (tmp_path / "out.wav").exists()


def test_no_such_model(recording, capsys):
    assert main(["encode", str(recording), "--model", "no-such-model"]) == 1
    assert "no-such-model" in only_line(capsys)
    assert main(["info", "no-such-model"]) == 1
    assert "no-such-model" in only_line(capsys)


def test_outputs_that_would_harm(catok, recording, tmp_path, capsys):
    assert catok("roundtrip", recording, "-o", recording) == 1
    assert "would be replaced" in only_line(capsys)
    assert catok("encode", tmp_path, "-o", recording) == 1
    assert "is a file" in only_line(capsys)
    assert catok("encode", recording, "-o", tmp_path / "nowhere" / "x.cat") == 1
    assert "create it first" in only_line(capsys)
    (tmp_path / "empty").mkdir()
    assert catok("encode", tmp_path / "empty") == 1
    assert "holds no" in only_line(capsys)


def test_arguments_that_do_not_go_together(catok, recording, tmp_path, capsys):
    for arguments in (
        ["encode"],
        ["encode", "-", recording],
        ["encode", tmp_path, "-o", "-"],
        ["roundtrip", tmp_path, "-o", "x.wav"],
        ["encode", recording, "-o", "x.wav"],
        ["encode", recording, "-o", "folder"],
        ["encode", recording, "--overwrite", "--skip-existing"],
        ["encode", recording, "--shard", "0/2"],
    ):
        assert catok(*arguments) == 2
        only_line(capsys)


@pytest.mark.parametrize("arguments", [[], ["purr"], ["encode", "x", "--quantizers", "many"]])
def test_arguments_that_do_not_parse(arguments, capsys):
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2


def test_help_and_version(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["--help"])
    assert exit.value.code == 0
    assert "roundtrip" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("catok 0.")


def test_traceback_on_request(catok, tmp_path, monkeypatch):
    monkeypatch.setenv("CATOK_TRACEBACK", "1")
    with pytest.raises(ValueError, match="does not exist"):
        catok("encode", tmp_path / "nowhere.wav")


def test_interrupt_leaves_nothing(catok, recording, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(CausalAudioTokenizer, "decode_frames", interrupted)
    assert catok("roundtrip", recording, "-o", recording.with_name("out.wav")) == 130
    assert capsys.readouterr().err == "catok: interrupted\n"
    assert [file.name for file in recording.parent.iterdir()] == ["speech.wav"]


def test_errors_of_several_lines_become_one(capsys):
    def fail() -> int:
        raise OSError("first\n  second")

    assert exit_code(fail) == 1
    assert only_line(capsys) == "catok: error: first second\n"
