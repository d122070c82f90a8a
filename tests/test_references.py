"""Files and command lines that documentation, docstrings and comments name exist."""

import functools
import re
import shlex
from pathlib import Path

import pytest

from catok.cli import main, program
from catok.cli.program import COMMANDS
from catok.cli.recipe_files import find_recipe

ROOT = Path(__file__).parents[1]
TREES = ("docs", "recipes", "benchmarks", "examples", "src", "tests", "research")
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(page for tree in TREES for page in (ROOT / tree).rglob("*.md")),
    ]
)
SOURCES = sorted(path for tree in TREES for path in (ROOT / tree).rglob("*.py"))


def named_paths(text: str) -> set[str]:
    """Paths into this repository: in backticks, on command lines and as `python -m a.b`."""
    trees = "|".join(TREES)
    modules = re.findall(rf"python -m ((?:{trees})(?:\.\w+)+)", text)
    return {
        *re.findall(rf"`((?:{trees})/[\w./-]+)`", text),
        *re.findall(r"catok [a-z-]+ (recipes/[\w./-]+)", text),
        *(module.replace(".", "/") + ".py" for module in modules),
    }


def command_lines(page: Path) -> list[list[str]]:
    """The command lines of `catok` that a page shows, in fences or indented."""
    text = re.sub(r"\\\n\s*", " ", page.read_text())
    lines = re.findall(r"^(?:    |\$ )?(catok [a-z-]+ [^\n]*)$", text, re.M)
    split = [shlex.split(line, comments=True) for line in lines if line.split()[1] in COMMANDS]
    return [arguments[1:] for arguments in split]


@pytest.fixture(scope="module")
def known_options():
    """The options of a command line's command and subcommand, from its help."""
    cache: dict[tuple[str, ...], set[str]] = {}

    def known(command: tuple[str, ...], capsys) -> set[str]:
        if command not in cache:
            with pytest.raises(SystemExit) as stop:
                main([*command, "--help"])
            assert stop.value.code == 0
            cache[command] = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", capsys.readouterr().out))
        return cache[command]

    return known


def test_named_files_exist():
    texts = {page: page.read_text() for page in PAGES}
    texts |= {path: path.read_text() for path in SOURCES}
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path, text in texts.items()
        for name in named_paths(text)
        if not (ROOT / name).exists()
    ]
    assert not missing


def test_named_recipes_exist_and_are_named_one_way():
    """By their short names, as tiny/train: these work in a checkout and after pip install."""
    wrong = []
    for page in (page for page in PAGES if not page.is_relative_to(ROOT / "research")):
        own = re.findall(r"`(\w+\.toml)`:\n", page.read_text())  # a file that the page shows
        text = re.sub(r"\\\n\s*", " ", page.read_text())
        for name in re.findall(r"catok train(?:-lm)? ([\w/][\w./-]*)", text):
            try:
                found = name in own or find_recipe(name).is_file()
            except ValueError:
                found = False
            if (
                not found
                or name.startswith("recipes/")
                or (name.endswith(".toml") and name not in own)
            ):
                wrong.append(f"{page.relative_to(ROOT)}: {name}")
    assert not wrong


def test_named_options_exist(known_options, capsys):
    unknown = []
    seen = 0
    for page in PAGES:
        for command, *rest in command_lines(page):
            nested = command in ("score", "tokens")
            known = known_options((command, rest[0]) if nested else (command,), capsys)
            options = [word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)]
            unknown += [
                f"{page.relative_to(ROOT)}: catok {command} {option}"
                for option in options
                if option not in known
            ]
            seen += 1
    assert not unknown
    assert seen > 50


@pytest.mark.slow
def test_command_lines_parse(monkeypatch, capsys):
    """All of them, to the last argument; none is run."""
    parsed = []

    def recorder(name, command):
        @functools.wraps(command)
        def record(*args, **options):
            parsed.append(name)
            return 0

        return record

    recorders = {name: recorder(name, command) for name, command in COMMANDS.items()}
    monkeypatch.setattr(program, "COMMANDS", recorders)
    wrong = []
    lines = [(page, line) for page in PAGES for line in command_lines(page)]
    for page, line in lines:
        try:
            assert main(line) == 0
        except SystemExit as stop:
            if stop.code or not {"-h", "--help"} & set(line):
                wrong.append(f"{page.relative_to(ROOT)}: catok {shlex.join(line)}")
        capsys.readouterr()
    assert not wrong
    assert len(parsed) > 50
