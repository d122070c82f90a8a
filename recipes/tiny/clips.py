"""Find the audio files of an unpacked package, with language and transcript where known.

One function per layout. Each takes the source, the folder of the unpacked package and the folder
of the unpacked transcript package (or None), and yields `Clip`s. A clip's `stem` is its path below
the layout's root folder, without extension and with "/" between the parts: it names the converted
file and its SHA-1 decides the split.
"""

import gzip
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sources import Source

AUDIO_SUFFIXES = {".wav", ".ogg", ".oga", ".flac", ".mp3", ".opus", ".aif", ".aiff", ".au"}
TUXPAINT_LANGUAGES = {"ro", "es", "ru", "fr", "bg", "be"}  # the others stay unseen

ASTERISK_TONES = {
    "ascending-2tone",
    "beep",
    "beeperr",
    "confbridge-join",
    "confbridge-leave",
    "descending-2tone",
    "tt-monkeys",
}


@dataclass(frozen=True)
class Clip:
    """One audio file to convert."""

    path: Path
    stem: str
    domain: str
    language: str | None = None
    text: str | None = None


def asterisk(source: Source, root: Path, text_root: Path | None) -> Iterator[Clip]:
    """Phone prompts: sounds/VOICE/STEM.g722 and lines `STEM: text`."""
    texts = {}
    (listing,) = text_root.rglob(f"core-sounds-{source.language}.txt.gz")
    for line in gzip.decompress(listing.read_bytes()).decode("utf-8").splitlines():
        key, colon, text = line.partition(":")
        if colon and not key.startswith(";"):
            texts[key.strip()] = " ".join(text.split())
    for path in root.rglob("*.g722"):
        # parts after "sounds" are the voice, such as en_US_f_Allison, and then the stem
        parts = path.with_suffix("").parts
        stem = "/".join(parts[parts.index("sounds") + 2 :])
        text = texts.get(stem)
        if stem in ASTERISK_TONES:
            yield Clip(path, stem, "sound")
        else:  # brackets hold remarks: "space [ ]", "Pour (emphase)"
            plain_text = text if text and not re.search(r"[\[\](){}<>]", text) else None
            yield Clip(path, stem, "speech", source.language, plain_text)


def festvox(source: Source, root: Path, text_root: Path | None) -> Iterator[Clip]:
    """A Festival voice: wav/NAME.wav and lines `( NAME "text" )`; a + marks stress."""
    (listing,) = root.rglob("txt.done.data")
    texts = dict(re.findall(r'\(\s*(\S+)\s+"(.*)"\s*\)', listing.read_text("utf-8")))
    for path in root.rglob("wav/*.wav"):
        text = texts.get(path.stem)
        yield Clip(path, path.stem, "speech", source.language, text and text.replace("+", ""))


def fillets(source: Source, root: Path, text_root: Path | None) -> Iterator[Clip]:
    """Game dialogues: sound/LEVEL/LL/ID.ogg and script/LEVEL/dialogs_LL.lua."""
    entry = re.compile(r'dialogId\("([^"]+)".*?\n\s*dialogStr\("((?:[^"\\]|\\.)*)"\)')
    texts = {}
    for folder in (text_root, root):
        for lua in folder.rglob(f"dialogs_{source.language}.lua"):
            for key, text in entry.findall(lua.read_text("utf-8")):
                texts[lua.parent.name, key] = " ".join(text.replace('\\"', '"').split())
    for path in root.rglob(f"sound/*/{source.language}/*.ogg"):
        level = path.parent.parent.name
        text = texts.get((level, path.stem))
        yield Clip(path, f"{level}/{path.stem}", "speech", source.language, text or None)


def tuxpaint(source: Source, root: Path, text_root: Path | None) -> Iterator[Clip]:
    """Volunteers naming pictures: X_desc_LL.ogg and the line `LL.utf8=text` of X.txt."""
    (stamps,) = root.rglob("tuxpaint/stamps")
    for path in stamps.rglob("*_desc_*.ogg"):
        name, _, language = path.stem.rpartition("_desc_")
        if language not in TUXPAINT_LANGUAGES:
            continue
        text, listing = None, path.with_name(f"{name}.txt")
        if listing.exists():
            lines = listing.read_text("utf-8", errors="replace").splitlines()
            marker = f"{language}.utf8="
            text = next((x[len(marker) :].strip() for x in lines if x.startswith(marker)), None)
        stem = path.relative_to(stamps).with_suffix("").as_posix()
        yield Clip(path, stem, "speech", language, text or None)


def queen(source: Source, root: Path, text_root: Path | None) -> Iterator[Clip]:
    """Speech inside ScummVM's bundle queen.1c: a table of (name, offset, size) and MP3 bodies.

    The script is in the bundle too, but no key ties its lines to the clips: no transcripts.
    """
    (bundle,) = root.rglob("queen.1c")
    data = bundle.read_bytes()
    if data[:4] != b"QTBL":
        raise ValueError(f"{bundle} does not start with QTBL: not a rebuilt ScummVM bundle")
    (count,) = struct.unpack_from(">H", data, 13)
    folder = bundle.with_suffix(".clips")
    folder.mkdir(exist_ok=True)
    for index in range(count):
        # 12 bytes of name, 1 byte for the bundle's number, then offset and size, big-endian
        name, _, offset, size = struct.unpack_from(">12sBII", data, 15 + 21 * index)
        stem, _, suffix = name.rstrip(b"\0").decode("ascii").rpartition(".")
        if suffix == "SB":
            path = folder / f"{stem}.mp3"
            path.write_bytes(data[offset : offset + size])
            yield Clip(path, stem, "speech", source.language)


def sphinx(source: Source, root: Path, text_root: Path | None) -> Iterator[Clip]:
    """A recogniser's tests: NAME.wav with lines `<s> text </s> (NAME)` in a file beside them."""
    line = re.compile(r"^(?:<s>)?\s*(.*?)\s*(?:</s>)?\s*\((\S+)\)\s*$")
    for listing in [*root.rglob("transcription"), *root.rglob("*.transcription")]:
        for match in filter(None, map(line.match, listing.read_text("utf-8").splitlines())):
            text, name = match.groups()
            path = listing.parent / f"{name}.wav"
            if path.is_file():
                yield Clip(path, f"{path.parent.name}/{name}", "speech", source.language, text)


def plain(source: Source, root: Path, text_root: Path | None) -> Iterator[Clip]:
    """Every audio file of the package, inside pk3 (zip) archives too; no transcripts."""
    for archive in root.rglob("*.pk3"):
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(archive.with_suffix(""))
    share = root / "usr/share"
    for path in share.rglob("*"):
        if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file() and not path.is_symlink():
            relative = path.relative_to(share).with_suffix("")
            domain = source.domain
            for part in relative.parts[:-1]:
                if part in ("sounds", "sound", "speech"):  # supertux: shouts, no sentences
                    domain = "sound"
                elif part == "music":
                    domain = "music"
            yield Clip(path, relative.as_posix(), domain)


def words(source: Source, root: Path, text_root: Path | None) -> Iterator[Clip]:
    """Letters, syllables and words in many voices, a folder per language; Italian stays unheard."""
    share = root / "usr/share"
    for path in share.rglob("*"):
        if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file() and not path.is_symlink():
            stem = path.relative_to(share).with_suffix("")
            found = re.search(r"/(?:klettres|sounds)/([a-z]{2,3})(?=[_@/])", f"/{stem.as_posix()}")
            language = found[1] if found else source.language
            if language != "it":
                yield Clip(path, stem.as_posix(), "speech", language)


def hedgewars(source: Source, root: Path, text_root: Path | None) -> Iterator[Clip]:
    """A game: Sounds/voices/VOICE/ speak, Music/ plays, the other sounds are effects."""
    (data,) = root.rglob("hedgewars/Data")
    for path in data.rglob("*"):
        if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file() and not path.is_symlink():
            stem = path.relative_to(data).with_suffix("")
            speaks, plays = "voices" in stem.parts[:-1], stem.parts[0] == "Music"
            yield Clip(path, stem.as_posix(), "speech" if speaks else "music" if plays else "sound")


_KNOWN = (asterisk, festvox, fillets, tuxpaint, queen, sphinx, plain, words, hedgewars)

LAYOUTS: dict[str, Callable[[Source, Path, Path | None], Iterator[Clip]]] = {
    layout.__name__: layout for layout in _KNOWN
}
