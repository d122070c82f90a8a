"""AISHELL-1 (one transcript file for all) and AISHELL-2 (wav.scp and trans.txt in each folder)."""

from collections.abc import Iterator
from pathlib import Path

from catok.data.kaldi import read_table
from catok.evaluation.protocols.items import Transcribed, checked

TRANSCRIPTS = "aishell_transcript*.txt"


def is_aishell2(folder: Path) -> bool:
    """Whether this is a folder such as AISHELL-2/iOS/test."""
    return (folder / "wav.scp").exists() and (folder / "trans.txt").exists()


def find_transcript(folder: Path) -> Path | None:
    """AISHELL-1's transcript file: in the folder, or in a `transcript` folder in or above it.

    Above means up to three folders, as from data_aishell/wav/test/S0764 to data_aishell.
    """
    folder = folder.absolute()
    for place in (folder, *(f / "transcript" for f in (folder, *folder.parents[:3]))):
        found = sorted(place.glob(TRANSCRIPTS))
        if found:
            return found[-1]
    return None


def read_aishell1(folder: str | Path) -> list[Transcribed]:
    """The utterances below a folder such as data_aishell/wav/test.

    As in the corpus's own recipes, recordings without a transcript are left out. Raises ValueError
    where no transcripts are found.
    """
    folder = Path(folder)
    transcript = find_transcript(folder)
    if transcript is None:
        raise ValueError(f"there is no {TRANSCRIPTS} in or above {folder}")
    return checked(_recordings(folder, read_table(transcript)), folder)


def _recordings(folder: Path, texts: dict[str, str]) -> Iterator[Transcribed]:
    for audio in sorted(folder.rglob("*.wav")):
        text = texts.get(audio.stem)
        if text:
            yield Transcribed(audio.stem, audio, text, "zh")
