"""Every Python and shell snippet of the README and of docs/ runs."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from catok import CausalAudioTokenizer, load_audio, save_audio
from catok.cli import main
from catok.lm.asr.ctc import CTCHead
from catok.lm.config import TokenLMConfig
from catok.lm.model import TokenLM
from catok.lm.speech_config import SpeechConfig

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with the files that the pages speak of."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "examples").symlink_to(ROOT / "examples")
    audio, rate = load_audio(ROOT / "examples" / "speech.flac")
    save_audio(folder / "speech.wav", audio[:, : 2 * rate + 7], rate)
    tok = CausalAudioTokenizer.from_pretrained("tiny")
    tok.encode(load_audio(folder / "speech.wav")[0][None]).save(folder / "speech.cat")
    make_speech_model(folder / "my-tts", tok)
    make_recognizer(folder / "my-asr", tok)
    (folder / "letter.txt").write_text("Good morning. How are you?\n")
    lines = '{"id": "a", "text": "Good morning."}\n{"id": "b", "text": "How are you?"}\n'
    (folder / "list.jsonl").write_text(lines)
    return folder


def make_speech_model(folder, tok):
    """A small language model with random weights that speaks `tok`'s codes."""
    torch.manual_seed(0)
    TokenLM(TokenLMConfig.preset("mini")).save_pretrained(folder)
    SpeechConfig("tiny", tok.weight_hash).save(folder)


def make_recognizer(folder, tok):
    """The same that writes text, with a CTC head."""
    torch.manual_seed(0)
    model = TokenLM(TokenLMConfig.preset("mini"))
    model.save_pretrained(folder)
    CTCHead(model.config.width, model.config.vocab_size).save(folder)
    SpeechConfig("tiny", tok.weight_hash, tasks=("asr",)).save(folder)


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=lambda p: p.name)
def test_python_snippets(page, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    names: dict = {}
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), names)


def test_the_first_snippets_run_as_they_stand_in_a_checkout(tmp_path, monkeypatch):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    use, stream, *_ = blocks(ROOT / "README.md", "python")
    exec(compile(use, "README.md", "exec"), names)
    audio = names["audio"]
    assert load_audio("out.wav")[0].shape == audio.shape
    exec(compile(stream, "README.md", "exec"), names)
    assert torch.cat(names["sound"], dim=-1).shape == (1, *audio.shape)  # nothing of the tail lost
    assert torch.equal(names["enc"].codes, names["tok"].encode(audio[None]).codes)
    assert int(names["enc"].sample_lengths) == audio.shape[-1]


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "bash")], ids=lambda p: p.name)
def test_shell_snippets(page, workplace, monkeypatch, capsys):
    monkeypatch.chdir(workplace)
    for block in blocks(page, "bash"):
        for line in block.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "catok"
            assert main(arguments) == 0, capsys.readouterr().err


def test_links_lead_somewhere():
    for page in [*PAGES, ROOT / "benchmarks" / "README.md"]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_pages_import_public_names_only():
    package = ROOT / "src"
    for page in PAGES:
        for module in re.findall(r"^\s*from (catok[\w.]*) import", page.read_text(), re.M):
            home = package.joinpath(*module.split("."), "__init__.py")
            assert home.is_file(), f"{page.name}: {module} is a file, not a public package"
