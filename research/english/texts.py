"""English sentences from Debian packages of free text; DATA.md names their licences.

Each function takes the unpacked package's folder and yields whole strings as written; `sentences`
cuts and sifts them.
"""

import gzip
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from research.english import script
from research.english.sentences import names_inside, sentences, speakable
from research.english.spoken_numbers import number_sentences

CAMPAIGNS = ("httt", "tsg", "l", "trow", "thot", "nr", "ttb")  # Wesnoth's, with the most dialogue
FORTUNES = ("food", "kids", "love", "people", "pets", "platitudes", "sports", "wisdom", "work")
NUMBERS = 1000
INVENTED_NAMES = {"wesnoth"}  # nobody can tell how its names are said: sentences without them

# sentences that a source gives per round: dialogue before prose, prose before lists
WEIGHTS = {"queen": 3, "fillets": 3, "wesnoth": 2, "fortunes": 2, "asterisk": 1, "numbers": 1}
PACKAGES = {
    "queen": ["flight-of-the-amazon-queen"],
    "fillets": ["fillets-ng-data"],
    "wesnoth": [f"wesnoth-1.16-{name}" for name in CAMPAIGNS],
    "fortunes": ["fortunes"],
    "asterisk": ["asterisk-core-sounds-en"],
}


def queen(root: Path) -> Iterator[str]:
    """The script of the game's speakers."""
    (bundle,) = root.rglob("queen.1c")
    yield from script.script_lines(script.read_bundle(bundle))


def fillets(root: Path) -> Iterator[str]:
    """Dialogues: `dialogId(NAME, FONT, "English")`."""
    entry = re.compile(r'dialogId\("[^"]*",\s*"[^"]*",\s*"((?:[^"\\]|\\.)*)"\)')
    for lua in sorted(root.rglob("script/*/dialogs_en.lua")):
        for text in entry.findall(lua.read_text("utf-8", errors="replace")):
            yield text.replace('\\"', '"')


def wesnoth(root: Path) -> Iterator[str]:
    """What characters and the narrator say: translatable strings of `message` and `story`."""
    entry = re.compile(r'\b(?:message|story)\s*=\s*_\s*"((?:[^"]|"")*)"')
    for config in sorted(root.rglob("campaigns/*/scenarios/*.cfg")):
        for text in entry.findall(config.read_text("utf-8", errors="replace")):
            yield text.replace('""', '"')


def fortunes(root: Path) -> Iterator[str]:
    """Sayings, separated by lines with a percent sign; who said them stands after two dashes."""
    for name in FORTUNES:
        text = (root / "usr/share/games/fortunes" / name).read_text("utf-8", errors="replace")
        for saying in re.split(r"^%$", text, flags=re.MULTILINE):
            yield re.split(r"^\s*--", saying, flags=re.MULTILINE)[0]


def asterisk(root: Path) -> Iterator[str]:
    """Telephone prompts: lines `STEM: text`."""
    (listing,) = root.rglob("core-sounds-en.txt.gz")
    for line in gzip.decompress(listing.read_bytes()).decode("utf-8").splitlines():
        if not line.startswith(";"):
            yield line.partition(":")[2]


READERS: dict[str, Callable[[Path], Iterator[str]]] = {
    reader.__name__: reader for reader in (queen, fillets, wesnoth, fortunes, asterisk)
}


def read_texts(fetched: Mapping[str, list[Path]]) -> dict[str, list[str]]:
    """Unpacked folders by source -> the speakable sentences of every source, in reading order."""
    found = {
        name: [
            sentence
            for root in roots
            for text in READERS[name](root)
            for sentence in sentences(text)
            if speakable(sentence) and not (name in INVENTED_NAMES and names_inside(sentence))
        ]
        for name, roots in fetched.items()
    }
    return {**found, "numbers": list(number_sentences(NUMBERS))}
