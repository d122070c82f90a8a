"""Transcribers by name."""

from pathlib import Path

from catok.evaluation.transcribers.base import Transcriber

NAMED = {
    "tiny.en": "Whisper tiny.en, English only, 39 M parameters",
    "base": "Whisper base, multilingual, 74 M",
}


def build_transcriber(name: str | None = None) -> Transcriber:
    """`name`: one of `NAMED` (None: "tiny.en"), a folder in CTranslate2's format (model.bin),
    a folder of transformers, or a hub id "owner/model" of transformers; with "catok:" before it
    what `catok asr --model` takes.

    Raises ValueError when it cannot be found or its packages are not installed.
    """
    name = name or "tiny.en"
    if name in NAMED:
        from catok.evaluation.transcribers.whisper import named_whisper

        return named_whisper(name)
    if name.startswith("catok:"):
        from catok.evaluation.transcribers.catok import CatokTranscriber

        return CatokTranscriber(name.removeprefix("catok:"))
    if Path(name, "model.bin").is_file():
        from catok.evaluation.transcribers.whisper import FasterWhisper

        return FasterWhisper(name)
    if Path(name).is_dir() or name.count("/") == 1:
        from catok.evaluation.transcribers.transformers import TransformersTranscriber

        return TransformersTranscriber(name)
    raise ValueError(
        f"unknown transcriber {name!r}: choose one of {sorted(NAMED)}, a folder, a hub id such "
        "as openai/whisper-large-v3, or catok:FOLDER for a recogniser of this package"
    )
