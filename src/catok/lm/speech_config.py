"""What a speech language model was trained for: `speech.json` beside its weights.

The weights are in the released layout, which does not say whose codes they speak. This file does.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from catok.io.config import read_config
from catok.io.files import replacing
from catok.io.json import read_json
from catok.io.numbers import check_number, check_whole_number
from catok.lm.sampling import SamplingConfig

Task = Literal["tts", "asr"]
SPEECH = "speech.json"


@dataclass(frozen=True)
class SpeechConfig:
    """The surroundings of a `TokenLM`.

    `tokenizer`: the audio tokenizer whose codes it reads and writes, as `from_pretrained` takes it
    (embedded name, hub id or folder); a relative path may start at the model's own folder.
    `weight_hash`: that tokenizer's, "" if not known. `text`: "bytes", or "files" for a text
    tokenizer in the model's folder. `num_quantizers`: codebooks used unless asked otherwise, None
    for all. `languages`: tags it was trained with, none if it was trained without. `characters`:
    what the texts of its training are made of, but for what hardly occurs; "" if not known.
    `reference_seconds`: the longest recording of a voice that it was given in training, None if not
    known. `no_speech_threshold`: of recognition, see `DecodingConfig`. `sampling`: what suits this
    model in synthesis.
    """

    tokenizer: str
    weight_hash: str = ""
    text: Literal["bytes", "files"] = "bytes"
    tasks: tuple[Task, ...] = ("tts",)
    num_quantizers: int | None = None
    languages: tuple[str, ...] = ()
    characters: str = ""
    reference_seconds: float | None = None
    no_speech_threshold: float = 0.0
    sampling: SamplingConfig = field(default_factory=SamplingConfig)

    def __post_init__(self) -> None:
        if not self.tokenizer:
            raise ValueError("tokenizer must name the audio tokenizer whose codes the model speaks")
        if not self.tasks:
            raise ValueError('tasks must hold "tts", "asr" or both')
        if self.num_quantizers is not None:
            check_whole_number("num_quantizers", self.num_quantizers, at_least=1)
        if self.reference_seconds is not None:
            check_number("reference_seconds", self.reference_seconds, above=0)

    def unknown_characters(self, text: str) -> str:
        """The characters of a text that the model has hardly ever read, each once.

        White space and the capitals of known letters are none; nothing is where that is not known.
        """
        if not self.characters:
            return ""
        known = set(self.characters + self.characters.upper() + self.characters.lower())
        return "".join(dict.fromkeys(c for c in text if c not in known and not c.isspace()))

    @property
    def reads_digits(self) -> bool | None:
        """Whether it has learnt to read digits; None if not known."""
        return any(c.isdecimal() for c in self.characters) if self.characters else None

    def save(self, folder: str | Path) -> None:
        """Write `speech.json` into a model's folder, replaced in one step."""
        with replacing(Path(folder) / SPEECH) as temporary:
            Path(temporary).write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, folder: str | Path) -> "SpeechConfig | None":
        """Read a folder's `speech.json`; None where there is none, as in released folders.

        Raises ValueError on unknown or ill-typed keys.
        """
        path = Path(folder) / SPEECH
        if not path.is_file():
            return None
        data: dict[str, Any] = read_json(path)
        return read_config(cls, data, SPEECH)
