"""Voices: codes of a recording and what is said in it, under a name.

A folder keeps them. Files that an operator puts there (`anna.wav`, with `anna.txt` if the words are
known) are voices; what clients add is written under a name that the server made up. Nothing that a
client says becomes a path.
"""

import json
import re
import secrets
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from catok.io.config import read_config
from catok.io.files import replacing
from catok.io.json import read_json
from catok.lm.tts.synthesizer import Synthesizer
from catok.serving.errors import ApiError

DEFAULT = "default"  # a voice of the model's own choice
OPENAI_VOICES = (
    "alloy",
    "ash",
    "ballad",
    "cedar",
    "coral",
    "echo",
    "fable",
    "marin",
    "nova",
    "onyx",
    "sage",
    "shimmer",
    "verse",
)
AUDIO = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")
_NAME = re.compile(r"[\w][\w .-]{0,63}")


@dataclass(frozen=True)
class Voice:
    """`codes` `[K][F]` of the recording, `text` what is said in it ("" if unknown).

    `consent`: the words with which the speaker agreed, "" for a voice of the operator's.
    """

    id: str
    name: str
    codes: tuple[tuple[int, ...], ...]
    text: str = ""
    consent: str = ""
    language: str = ""
    weight_hash: str = ""
    created: int = 0

    def tensor(self) -> Tensor:
        """The codes, int64 `[K, F]`."""
        return torch.tensor(self.codes, dtype=torch.int64, device="cpu")

    @property
    def is_uploaded(self) -> bool:
        """Whether a client added it."""
        return self.id.startswith("voice_")


class Voices:
    """All voices of a server. `names`: what clients may call them instead."""

    def __init__(
        self, synthesizer: Synthesizer, folder: Path | None, names: dict[str, str], most: int
    ) -> None:
        """Reads the folder. Raises ValueError on what is no voice, and on a name for none."""
        self._synthesizer, self._folder, self._most = synthesizer, folder, most
        self._voices: dict[str, Voice] = {}  # replaced whole: others may be reading it
        self._lock = threading.Lock()
        if folder is not None:
            self._read(folder)
        unknown = sorted(set(names.values()) - {*self._voices, DEFAULT})
        if unknown:
            raise ValueError(f"voice_names: no voices called {unknown}; there are {self.names()}")
        self._aliases = dict(names)

    def names(self) -> list[str]:
        """What can be asked for, without the other names."""
        return [DEFAULT, *self._voices]

    def all(self) -> list[Voice]:
        """Those that are recordings."""
        return list(self._voices.values())

    def aliases(self) -> dict[str, str]:
        """Other names, OpenAI's among them, and the voice of each."""
        configured = [voice.name for voice in self.all() if not voice.is_uploaded] or [DEFAULT]
        shared = {name: configured[n % len(configured)] for n, name in enumerate(OPENAI_VOICES)}
        return {k: v for k, v in (shared | self._aliases).items() if k not in self._voices}

    def find(self, name: str | None) -> Voice | None:
        """The voice of a name or id; None is the model's own. Raises ApiError on an unknown one."""
        if name is None or name == DEFAULT:
            return None
        for voice in self._voices.values():
            if name in (voice.name, voice.id):
                return voice
        alias = self.aliases().get(name.lower())
        if alias is not None:
            return self._voices.get(alias)
        raise ApiError(
            400,
            f"there is no voice called {name[:80]!r}: GET /v1/audio/voices lists them",
            param="voice",
            code="voice_not_found",
        )

    def check_name(self, name: str) -> str:
        """A new voice's name. Raises ApiError on one that is taken, or none."""
        if not _NAME.fullmatch(name) or name in (DEFAULT, *OPENAI_VOICES):
            raise ApiError(
                400, "name must be 1 to 64 letters, digits, spaces, . _ or -", param="name"
            )
        if name in self._voices:
            raise ApiError(409, f"there is a voice called {name!r}: remove it first", param="name")
        if sum(voice.is_uploaded for voice in self.all()) >= self._most:
            raise ApiError(409, f"there are {self._most} voices already: remove one")
        return name

    def add(self, name: str, codes: Tensor, text: str, consent: str, language: str) -> Voice:
        """Keep a voice that a client sent; in the folder, if there is one."""
        rows = tuple(tuple(row) for row in codes.tolist())
        made = f"voice_{secrets.token_hex(12)}"
        hash = self._synthesizer.tokenizer.weight_hash
        voice = Voice(made, name, rows, text, consent, language, hash, int(time.time()))
        with self._lock:
            self.check_name(name)
            if self._folder is not None:
                with replacing(self._folder / f"{made}.json") as temporary:
                    Path(temporary).write_text(json.dumps(asdict(voice)))
            self._voices = {**self._voices, name: voice}
        return voice

    def remove(self, name: str) -> Voice:
        """Forget a voice that a client added, its file too. Raises ApiError on any other."""
        with self._lock:
            for voice in self.all():
                if name in (voice.name, voice.id) and voice.is_uploaded:
                    if self._folder is not None:
                        (self._folder / f"{voice.id}.json").unlink(missing_ok=True)
                    self._voices = {k: v for k, v in self._voices.items() if v is not voice}
                    return voice
        raise ApiError(404, "there is no such voice that could be removed", code="voice_not_found")

    def _read(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ValueError(f"voices: {folder} is no folder: make it first")
        for path in sorted(folder.iterdir()):
            if path.suffix == ".json":
                data: dict[str, Any] = read_json(path)
                voice = read_config(Voice, data, str(path))
                if voice.weight_hash not in ("", self._synthesizer.tokenizer.weight_hash):
                    raise ValueError(f"{path} is in codes of another audio tokenizer: remove it")
            elif path.suffix.lower() in AUDIO:
                words = path.with_suffix(".txt")
                codes = self._synthesizer.encode_reference(path)
                rows = tuple(tuple(row) for row in codes.tolist())
                text = words.read_text().strip() if words.is_file() else ""
                voice = Voice(path.stem, path.stem, rows, text)
            else:
                continue
            self._voices[voice.name] = voice
