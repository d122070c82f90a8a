"""Nothing that a name or a text holds controls the terminal."""

import ast
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

import catok.cli
from catok.cli import terminal
from catok.cli.progress import Progress

EVIL = "a\x1b]0;owned\x07\x1b[2J\r\u202egpj.\x9b31m\u2028b"


class Screen(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self) -> bool:
        return True


@contextmanager
def screens() -> Iterator[tuple[Screen, Screen]]:
    """Terminals as standard output and standard error."""
    out, err = Screen(), Screen()
    with redirect_stdout(out), redirect_stderr(err):
        yield out, err


def test_control_characters_are_shown_as_escapes():
    assert terminal.shown(EVIL) == (r"a\x1b]0;owned\x07\x1b[2J\x0d\u202egpj.\x9b31m\u2028b")
    assert terminal.shown(os.fsdecode(b"caf\xe9.wav")) == r"caf\xe9.wav"
    assert terminal.shown("Grüße, 你好, हिन्दी 👩‍🚀.wav") == "Grüße, 你好, हिन्दी 👩‍🚀.wav"


def test_names_reach_no_terminal_unescaped(catok, tmp_path):
    evil = EVIL.replace("/", "")
    (tmp_path / f"{evil}.wav").write_text("no audio")
    (tmp_path / f"2{evil}.wav").write_text("no audio")
    with screens() as (out, err):
        assert catok("encode", tmp_path) == 1
        assert catok("encode", tmp_path / f"{evil}.wav") == 1
        assert catok("encode", tmp_path / f"{evil}-gone.wav") == 1
        assert catok("encode", tmp_path, "-o", tmp_path / f"{evil}.wav") == 1
        terminal.print_result(f"name\t{EVIL}\nsecond line")
    assert err.getvalue().count(r"\x1b]0;owned") >= 5
    for stream in (out, err):
        text = stream.getvalue()
        assert text and not set(text) & set("\x1b\x07\x9b\u202e\u2028\r")
    assert out.getvalue().splitlines()[1] == "second line"


def test_into_a_pipe_results_go_as_they_are(capsys):
    terminal.print_result("a\u202eb\tc")
    assert capsys.readouterr().out == "a\u202eb\tc\n"


def test_only_this_module_prints():
    """So that no printing can forget to make names safe."""
    wrong = []
    for path in Path(catok.cli.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(getattr(node, "func", None), "id", "")
            if name in ("print", "tqdm") and path.name != "terminal.py":
                wrong.append(f"{path.name}:{node.lineno}")
    assert not wrong


def test_quiet_keeps_back_all_but_errors(catok, recording, tmp_path, capsys):
    assert catok("encode", recording, "-q") == 0
    assert capsys.readouterr().err == ""
    assert catok("encode", recording) == 1
    assert catok("encode", recording, tmp_path / "gone.wav", "--quiet", "--overwrite") == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and all(line.startswith("catok: error: ") for line in lines)


@pytest.mark.parametrize(
    "seconds, quiet, shown", [(5, False, False), (60, False, True), (60, True, False)]
)
def test_a_bar_only_on_a_terminal_and_for_long_work(seconds, quiet, shown):
    with screens() as (_, err), terminal.quietly(quiet), Progress(lambda: seconds) as progress:
        progress.advance(seconds)
        terminal.print_note("catok: hello")
    assert ("s of audio" in err.getvalue()) is shown
    assert ("catok: hello\n" in err.getvalue()) is not quiet


def test_no_bar_without_a_terminal(capsys):
    with Progress(lambda: 60) as progress:
        progress.advance(60)
    assert capsys.readouterr().err == ""
