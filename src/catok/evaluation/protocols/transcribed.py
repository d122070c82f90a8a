"""`read_transcribed`: whatever holds recordings and their text."""

from pathlib import Path

from catok.evaluation.protocols.aishell import find_transcript, is_aishell2, read_aishell
from catok.evaluation.protocols.items import Transcribed
from catok.evaluation.protocols.kaldi import read_kaldi
from catok.evaluation.protocols.librispeech import is_librispeech, read_librispeech
from catok.evaluation.protocols.manifest import read_manifest

LAYOUTS = (
    "a .jsonl manifest (lines with audio and text)",
    "AISHELL-2 (wav.scp and trans.txt)",
    "Kaldi (wav.scp and text)",
    "LibriSpeech (*.trans.txt beside the audio)",
    "AISHELL-1 (aishell_transcript*.txt in a transcript folder)",
)


def read_transcribed(path: str | Path, language: str | None = None) -> list[Transcribed]:
    """The utterances at `path`, a manifest or a folder, by what is found there (`LAYOUTS`).

    `language`: of utterances for which the layout knows none; LibriSpeech is English and AISHELL
    Chinese without it. Raises ValueError, naming the layouts, where none fits, and as the readers
    do on malformed lines.
    """
    path = Path(path)
    if path.is_file() and path.suffix == ".jsonl":
        return read_manifest(path, language)
    if path.is_dir():
        if is_aishell2(path):
            return read_aishell(path)
        if (path / "wav.scp").exists() and (path / "text").exists():
            return read_kaldi(path, language)
        if is_librispeech(path):
            return read_librispeech(path, language)
        if find_transcript(path):
            return read_aishell(path)
    known = "; ".join(LAYOUTS)
    raise ValueError(f"{path} is none of the layouts that can be read: {known}")
