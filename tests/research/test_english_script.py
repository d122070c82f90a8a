"""Texts of the English corpus: a game's script, and what else packages hold."""

import gzip
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from research.english import prepare, script, spoken_numbers, texts

pytestmark = pytest.mark.slow


def counted(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def bundle(files: dict[str, bytes]) -> bytes:
    """A file in the layout of queen.1c."""
    table, bodies = b"", b""
    start = 15 + 21 * len(files)
    for name, body in files.items():
        table += struct.pack(">12sBII", name.encode(), 1, start + len(bodies), len(body))
        bodies += body
    return b"QTBL" + bytes(9) + struct.pack(">H", len(files)) + table + bodies


BOB = b"AmBkxxxxDatas   " + struct.pack(">hhh", 7, 5, 6) + b"\0" * 9
BOB += (
    b"\x00\x08" + counted("Nice shop, Bob!*03Is it yours?") + b"\0\0\x06" + counted("*FR") + b"\0"
)
CUT = (
    b"\0\1" + counted("It can reach speeds of up to 100 miles.") + counted("Run for it!") + b"\0\0"
)
FILES = {
    "BOB1.DOG": BOB,
    "C1A.CUT": CUT,
    "020001P1.SB": b"sound",
    "QUEEN2.JAS": b"Neat*02\r\nc8a.CUT\r\n(sigh)*10Lola used to have a photo...*04\r\n",
}


def test_the_script_is_read_from_the_bundle(tmp_path):
    (tmp_path / "queen.1c").write_bytes(bundle(FILES))
    files = script.read_bundle(tmp_path / "queen.1c")
    assert files == {name: body for name, body in FILES.items() if name != "020001P1.SB"}
    assert script.script_lines(files) == [
        "Nice shop, Bob!",
        "Is it yours?",
        "It can reach speeds of up to 100 miles.",
        "Run for it!",
        "Neat",
        "Lola used to have a photo...",
    ]
    persons = script.speakers(files)
    assert persons == {"06": "queen-bob"}
    assert script.speaker_of("06002AP2", persons) == "queen-bob"
    assert script.speaker_of("06002AJ1", persons) == script.speaker_of("JO01611", persons)
    assert script.speaker_of("C100A_11", persons) is script.speaker_of("990001P1", persons) is None
    (tmp_path / "queen.1c").write_bytes(b"something else")
    with pytest.raises(ValueError, match="QTBL"):
        script.read_bundle(tmp_path / "queen.1c")


@given(st.lists(st.text("abc XYZ.", min_size=2, max_size=40), max_size=5))
def test_counted_strings_are_found_one_after_the_other(texts):
    data = b"\0\0" + b"".join(map(counted, texts)) + b"\0\xff"
    assert list(script.counted_strings(data)) == texts


def test_a_clip_gets_the_line_that_was_heard():
    matcher = script.Matcher(["Whales aren't fish at all.", "Get out!", "No. Never ever."])
    match = matcher.match("wales aren't fish at all", 2.0)
    assert match is not None and match.text == "Whales aren't fish at all."
    assert 0.8 <= match.similarity < 1
    assert matcher.match("whales are mammals", 2.0) is None
    assert matcher.match("Whales aren't fish at all", 20.0) is None  # the clip holds more
    assert matcher.match("Whales aren't fish at all", 0.5) is None
    assert matcher.match("get out", 1.0) and matcher.match("got out", 1.0) is None
    assert matcher.match("...", 1.0) is None
    with pytest.raises(ValueError, match="no lines"):
        script.Matcher(["..."])


@pytest.fixture
def package(tmp_path):
    """A folder with the files of every package that texts are read from."""
    root = tmp_path / "package"

    def write(name, content):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    write("bundle/queen.1c", bundle(FILES))
    write("script/a/dialogs_en.lua", 'dialogId("x", "font", "The \\"big\\" fish. Go away now!")\n')
    wesnoth = 'name= _ "Not this one."\nmessage= _ "My kind? I am here, Deoran. Come <i>in</i>."\n'
    write("campaigns/c/scenarios/01.cfg", wesnoth)
    for name in texts.FORTUNES:
        write(f"usr/share/games/fortunes/{name}", "%\n")
    write("usr/share/games/fortunes/work", "One is enough.\n\t-- A Sage\n%\nTwo are\nmore.\n%\n")
    prompts = b"; a remark: not this.\nhello: Hello to all. Press [ ]\n"
    write("core-sounds-en.txt.gz", gzip.compress(prompts))
    return root


def test_texts_are_gathered_from_packages_once(package, tmp_path, monkeypatch):
    fetched = []
    monkeypatch.setattr(prepare, "fetch", lambda name, cache: fetched.append(name) or package)
    monkeypatch.setitem(texts.PACKAGES, "wesnoth", ["wesnoth-1.16-httt"])
    gathered = prepare.gather(tmp_path, tmp_path / "cache")
    found = gathered["sentences"]
    assert found.pop("numbers") == list(spoken_numbers.number_sentences(texts.NUMBERS))
    assert found == {
        "queen": ["Nice shop, Bob!", "Is it yours?", "Run for it!"],
        "fillets": ["Go away now!"],
        "wesnoth": ["My kind?"],  # no names within
        "fortunes": ["One is enough.", "Two are more."],
        "asterisk": ["Hello to all."],
    }
    assert len(gathered["lines"]) == 6 and gathered["speakers"] == {"06": "queen-bob"}
    assert len(fetched) == 5
    again = prepare.gather(tmp_path, tmp_path / "cache")
    assert again["lines"] == gathered["lines"] and len(fetched) == 5
