"""The lists of Seed-TTS-Eval, as github.com/BytedanceSpeech/seed-tts-eval has them.

How it prepares text for the error rate: `catok.evaluation.text_units.seed_tts_units`.
"""

from collections.abc import Iterator
from pathlib import Path

from catok.data.lines import numbered_lines
from catok.evaluation.protocols.items import TTSItem, check_items
from catok.evaluation.text_units import UNKNOWN, detect_language


def read_seed_tts_list(path: str | Path, language: str | None = None) -> list[TTSItem]:
    """The utterances of a `meta.lst`, a list of hard cases or a list for reconstruction.

    Lines are `id|prompt text|prompt audio|text` with, in some lists, `|recording of the text`;
    paths are relative to the list. `language` of all of them: by default "en" or "zh" if the
    list's folder is called so, else "zh" for texts with Chinese characters and "en" for others.

    Raises ValueError, with file and line, on a line of another form, and on an id that comes twice.
    """
    path = Path(path)
    if language is None and path.absolute().parent.name in ("en", "zh"):
        language = path.absolute().parent.name
    return check_items(_items(path, language), path)


def _items(path: Path, language: str | None) -> Iterator[TTSItem]:
    for number, line in numbered_lines(path):
        fields = [field.strip() for field in line.split("|")]
        if len(fields) not in (4, 5) or not all(fields):
            raise ValueError(
                f"{path}, line {number}: needs id|prompt text|prompt audio|text, or a recording of "
                f"the text as a fifth field, got {len(list(filter(None, fields)))} fields"
            )
        name, prompt_text, prompt_audio, text, *target = fields
        spoken = detect_language(text, language)
        yield TTSItem(
            id=name.removesuffix(".wav"),
            text=text,
            language="en" if spoken == UNKNOWN else spoken,
            prompt_audio=path.parent / prompt_audio,
            prompt_text=prompt_text,
            target=path.parent / target[0] if target else None,
        )
