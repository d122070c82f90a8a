"""Where the audio of a package lies, and in which language."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

RECIPE = Path(__file__).parents[2] / "recipes/tiny"


@pytest.fixture
def find(tmp_path, monkeypatch):
    """The clips of made-up files: (stem, domain, language)."""
    monkeypatch.syspath_prepend(str(RECIPE))
    import clips
    from sources import SOURCES

    def find(package, *files):
        for file in files:
            path = tmp_path / "usr/share" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        (source,) = (s for s in SOURCES if s.package == package)
        found = clips.LAYOUTS[source.layout](source, tmp_path, None)
        return sorted((clip.stem, clip.domain, clip.language) for clip in found)

    return find


def test_words_know_their_language_and_italian_stays_unheard(find):
    assert find(
        "klettres-data", "klettres/pt_BR/alpha/a.ogg", "klettres/it/alpha/a.ogg", "klettres/x.txt"
    ) == [("klettres/pt_BR/alpha/a", "speech", "pt")]
    sounds = "ktuberling/sounds/"
    files = [f"{sounds}{name}/ear.wav" for name in ("sr@latin", "nds", "it")]
    found = find("ktuberling-data", *files)
    assert [clip[2] for clip in found if "ktuberling" in clip[0]] == ["nds", "sr"]


def test_syllables_have_the_language_of_their_package(find):
    assert find("gcin-voice", "gcin-voice/ogg/a/3.ogg") == [("gcin-voice/ogg/a/3", "speech", "zh")]


def test_a_games_voices_speak_and_its_sounds_do_not(find):
    data = "games/hedgewars/Data/"
    found = find(
        "hedgewars-data",
        f"{data}Sounds/voices/Pirate/Hello.ogg",
        f"{data}Sounds/beep.ogg",
        f"{data}Music/City.ogg",
    )
    assert [clip[:2] for clip in found] == [
        ("Music/City", "music"),
        ("Sounds/beep", "sound"),
        ("Sounds/voices/Pirate/Hello", "speech"),
    ]
