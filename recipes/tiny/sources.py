"""The table of Debian packages that hold the tiny model's audio.

Everything is free to redistribute; DATA.md says more about each licence. Nothing is installed and
nothing is committed: `prepare.py` fetches the packages by name and converts what it finds.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One package: where its audio lies and what is known about it."""

    package: str
    domain: str  # "speech", "music" or "sound"; selects the package on the command line
    layout: str  # key of `clips.LAYOUTS`: how audio files, languages and transcripts are found
    licence: str
    native_rate: str  # as recorded, for the reader; the converter measures it per file
    minutes: int  # about, after conversion
    text_package: str | None = None  # a second package that holds the transcripts
    language: str | None = None
    max_band_edge: int = 12_000  # Hz; lower where the recording carries less than its rate allows
    held_out: bool = False  # never trained on: all of it goes to heldout.jsonl
    excerpt: float | None = None  # seconds; of longer recordings only so much, from the middle

    @property
    def packages(self) -> list[str]:
        """Every Debian package needed to convert this source."""
        return [self.package] + ([self.text_package] if self.text_package else [])


def _asterisk(language: str, licence: str, minutes: int, held_out: bool = False) -> Source:
    package = f"asterisk-core-sounds-{language}"
    return Source(
        f"{package}-g722",
        "speech",
        "asterisk",
        licence,
        "16 kHz",
        minutes,
        package,
        language,
        8000,
        held_out,
    )


def _excerpts(package: str, domain: str, licence: str, native_rate: str, minutes: int) -> Source:
    return Source(
        package, domain, "plain", licence, native_rate, minutes, held_out=True, excerpt=10.0
    )


def _fillets(language: str, native_rate: str, minutes: int, max_band_edge: int) -> Source:
    return Source(
        f"fillets-ng-data-{language}",
        "speech",
        "fillets",
        "GPL-2",
        native_rate,
        minutes,
        "fillets-ng-data",
        language,
        max_band_edge,
    )


def _queen(licence: str, minutes: int) -> Source:
    package = "flight-of-the-amazon-queen"
    return Source(package, "speech", "queen", licence, "11 kHz", minutes, None, "en", 4600)


# In order of use: a run that is stopped early keeps the most useful part.
SOURCES = [
    _asterisk("en", "CC-BY-SA-3.0", 25),
    _asterisk("es", "CC-BY-SA-3.0", 30),
    _asterisk("fr", "CC-BY-SA-3.0", 25),
    _asterisk("ru", "CC-BY-3.0", 24),
    Source("festvox-ru", "speech", "festvox", "BSD-like", "16 kHz", 100, None, "ru", 7400),
    _fillets("cs", "22-44 kHz", 101, 12_000),
    _fillets("nl", "22 kHz", 91, 7000),
    Source("tuxpaint-stamps-default", "speech", "tuxpaint", "GPL-2+", "44.1 kHz", 119),
    _queen("free, not to be sold by itself", 276),
    Source("klettres-data", "speech", "words", "GPL-2+", "44.1 kHz", 50),
    Source("ktuberling-data", "speech", "words", "GPL-2+, CC-BY", "8-48 kHz", 31),
    Source("gcin-voice", "speech", "words", "CC-BY-3.0", "44.1 kHz", 9, None, "zh"),
    Source("hedgewars-data", "speech", "hedgewars", "GPL-2", "44.1 kHz", 110),
    Source("planetblupi-music-ogg", "music", "plain", "GPL-3+", "44.1 kHz", 163),
    Source("wesnoth-1.16-music", "music", "plain", "GPL-2+", "44.1 kHz", 128),
    Source("ufoai-music", "music", "plain", "CC-BY(-SA)-3.0, GPL-2+", "44.1 kHz", 240),
    Source("supertux-data", "music", "plain", "GPL-2+, GPL-3+", "8-96 kHz", 101),
    Source("hydrogen-drumkits", "sound", "plain", "GPL, CC-BY(-SA)-3.0, CC0", "22-48 kHz", 19),
    Source("megaglest-data", "sound", "plain", "CC-BY-SA-3.0", "11-48 kHz", 68),
    Source("ufoai-sound", "sound", "plain", "CC-BY(-SA)-3.0, GPL-2+", "8-48 kHz", 28),
    Source("boswars-data", "sound", "plain", "GPL-2+", "11-44 kHz", 7),
]

# Voices, tracks and effects that no model of ours has heard: `prepare.py --held-out` fetches them.
HELD_OUT = [
    _asterisk("it", "CC-BY-SA-3.0", 25, held_out=True),
    Source(
        "pocketsphinx-testdata",
        "speech",
        "sphinx",
        "BSD, public domain",
        "16 kHz",
        1,
        None,
        "en",
        8000,
        held_out=True,
    ),
    _excerpts("warzone2100-music", "music", "CC-BY-SA-3.0, GPL-2+, CC0", "44.1 kHz", 5),
    _excerpts("hydrogen-drumkits-effects", "sound", "CC-BY(-SA)-3.0, GPL, CC0", "44.1 kHz", 10),
]
