"""Seed-TTS-Eval: its lists, and how it prepares text for the error rate.

Lists and rules are those of github.com/BytedanceSpeech/seed-tts-eval (`get_wav_res_ref_text.py`,
`run_wer.py`): English is judged by WER, Chinese by CER.
"""

import re
import string
from collections.abc import Iterator
from pathlib import Path

from catok.data.lines import numbered_lines
from catok.evaluation.protocols.items import Prompted, checked
from catok.evaluation.protocols.languages import UNKNOWN, by_character, language_of

# what the official script takes out: ASCII punctuation, but for the apostrophe, and the Chinese
# punctuation of the package zhon
_ASCII = string.punctuation.replace("'", "")
_CHINESE = (
    "\u00b7\u2013\u2014\u2018\u2019\u201b-\u201f\u2026\u2027\u3000-\u3003\u3008-\u3011"
    "\u3014-\u301f\u3030\u303e\u303f\ufe4f\ufe51\ufe54\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40"
    "\uff5b-\uff64"
)
_PUNCTUATION = re.compile(f"[{re.escape(_ASCII)}{_CHINESE}]")


def read_seed_tts_list(path: str | Path, language: str | None = None) -> list[Prompted]:
    """The utterances of a `meta.lst`, a list of hard cases or a list for reconstruction.

    Lines are `id|prompt text|prompt audio|text` with, in some lists, `|recording of the text`;
    paths are relative to the list. `language` of all of them: by default "en" or "zh" if the
    list's folder is called so, else "zh" for texts with Chinese characters and "en" for others.

    Raises ValueError, with file and line, on a line of another form, and on an id that comes twice.
    """
    path = Path(path)
    if language is None and path.absolute().parent.name in ("en", "zh"):
        language = path.absolute().parent.name
    return checked(_items(path, language), path)


def _items(path: Path, language: str | None) -> Iterator[Prompted]:
    for number, line in numbered_lines(path):
        fields = [field.strip() for field in line.split("|")]
        if len(fields) not in (4, 5) or not all(fields):
            raise ValueError(
                f"{path}, line {number}: needs id|prompt text|prompt audio|text, or a recording of "
                f"the text as a fifth field, got {len(list(filter(None, fields)))} fields"
            )
        name, prompt_text, prompt_audio, text, *target = fields
        spoken = language_of(text, language)
        yield Prompted(
            id=name.removesuffix(".wav"),
            text=text,
            language="en" if spoken == UNKNOWN else spoken,
            prompt_audio=path.parent / prompt_audio,
            prompt_text=prompt_text,
            target=path.parent / target[0] if target else None,
        )


def seed_units(text: str, language: str) -> list[str]:
    """The words, or for Chinese and its like the characters, as the official script compares them.

    Punctuation goes, the apostrophe stays; words become lower case; digits are left as they are.
    The script also turns traditional Chinese of the recogniser into simplified, which is left to
    the recogniser here.
    """
    bare = _PUNCTUATION.sub("", text)
    if by_character(language):
        return [character for character in bare if not character.isspace()]
    return bare.lower().split()
