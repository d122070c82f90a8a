"""How a server is set up: defaults, then a TOML file, then the environment, then options."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_type_hints

from catok.io.config import read_config
from catok.io.numbers import check_number, check_whole_number
from catok.io.toml import parse_toml, read_toml

PREFIX = "CATOK_SERVE_"
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class ServerConfig:
    """Everything that decides what a server does. Raises ValueError on values out of range.

    host, port       where it listens
    wyoming_port     the same for Wyoming (Home Assistant), 0 for not at all; it knows no key
    tokenizer        audio tokenizer of encode and decode, as `from_pretrained` takes it
    tts, asr         speech models, or "" for none
    tts_tokenizer    audio tokenizer of a released speech model, which does not name its own
    device, dtype    of the models; "auto" is the GPU where there is one
    api_key          what clients must send as a bearer token; "" asks for none
    cors_origins     web pages of other origins that may call the server; none by default
    fetch_hosts      hosts that `ref_audio` may be fetched from; none by default
    voices           folder of voices, read at the start and written by `POST /v1/audio/voices`;
                     "" keeps new voices in memory
    voice_names      names that clients use -> local voices
    speech_limit, transcription_limit, codec_limit
                     requests of each kind that are worked on at once
    session_limit    WebSockets that are open at once
    queue_limit, queue_seconds
                     requests that may wait for their turn, and how long
    max_upload_megabytes, max_audio_seconds, max_text_length, max_batch, max_voices
                     the largest body, recording, text in characters, batch of texts and number of
                     voices that clients added
    max_seconds      where speech that does not end is cut off, for every sentence
    read_seconds, write_seconds
                     how long a client may send nothing of its body, or read nothing of an answer
    config_seconds, idle_seconds
                     how long a WebSocket may wait with its first message, and with the next one
    stop_seconds     how long a server that is stopped goes on with what runs
    log_texts        write texts and transcripts into the log
    """

    host: str = "127.0.0.1"
    port: int = 8000
    wyoming_port: int = 0
    tokenizer: str = "tiny"
    tts: str = "tiny-tts"
    asr: str = "tiny-asr"
    tts_tokenizer: str = ""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    api_key: str = ""
    cors_origins: tuple[str, ...] = ()
    fetch_hosts: tuple[str, ...] = ()
    voices: str = ""
    voice_names: dict[str, str] = field(default_factory=dict)
    speech_limit: int = 32
    transcription_limit: int = 16
    codec_limit: int = 64
    session_limit: int = 128
    queue_limit: int = 64
    queue_seconds: float = 10.0
    max_upload_megabytes: float = 64.0
    max_audio_seconds: float = 3600.0
    max_text_length: int = 4096
    max_batch: int = 32
    max_voices: int = 100
    max_seconds: float = 60.0
    read_seconds: float = 30.0
    write_seconds: float = 30.0
    config_seconds: float = 10.0
    idle_seconds: float = 30.0
    stop_seconds: float = 30.0
    log_texts: bool = False

    def __post_init__(self) -> None:
        for name in ("port", "wyoming_port"):
            check_whole_number(name, getattr(self, name), at_least=0, at_most=65_535)
        for name in ("speech_limit", "transcription_limit", "codec_limit", "max_text_length"):
            check_whole_number(name, getattr(self, name), at_least=1)
        check_whole_number("max_batch", self.max_batch, at_least=1)
        check_whole_number("session_limit", self.session_limit, at_least=1)
        for name in ("queue_limit", "max_voices"):
            check_whole_number(name, getattr(self, name), at_least=0)
        check_number("queue_seconds", self.queue_seconds, at_least=0)
        check_number("stop_seconds", self.stop_seconds, at_least=0)
        for name in ("max_upload_megabytes", "max_audio_seconds", "max_seconds"):
            check_number(name, getattr(self, name), above=0)
        for name in ("read_seconds", "write_seconds", "config_seconds", "idle_seconds"):
            check_number(name, getattr(self, name), above=0)
        if not self.tokenizer:
            raise ValueError("tokenizer must name an audio tokenizer")
        if self.api_key and not (self.api_key.isascii() and self.api_key.isprintable()):
            raise ValueError("api_key must be of printable ASCII, for it stands in a header")

    @property
    def max_upload_bytes(self) -> int:
        """The largest body of a request."""
        return int(self.max_upload_megabytes * MEGABYTE)

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> "ServerConfig":
        """From a TOML file, variables such as CATOK_SERVE_PORT, and `options` that are not None.

        Raises ValueError on unknown keys, unknown variables and values of another type.
        """
        keys = {} if path is None else read_toml(path)
        names = {each.name for each in fields(cls)}
        unknown = sorted(set(keys) - names)
        if unknown:
            raise ValueError(f"{path}: unknown keys {unknown}; known are {sorted(names)}")
        hints = get_type_hints(cls)
        for variable, text in (os.environ if environment is None else environment).items():
            if not variable.startswith(PREFIX):
                continue
            name = variable.removeprefix(PREFIX).lower()
            if name not in names:
                raise ValueError(f"{variable} stands for no setting; known are {sorted(names)}")
            keys[name] = _read_variable(variable, text, hints[name])
        keys |= {name: value for name, value in options.items() if value is not None}
        return read_config(cls, keys, str(path or "the server's configuration"))


def _read_variable(variable: str, text: str, kind: Any) -> Any:
    """Text as it is, lists at commas, anything else as TOML writes it."""
    if kind is str or getattr(kind, "__origin__", None) is Literal:
        return text
    if getattr(kind, "__origin__", None) is tuple:
        return [each.strip() for each in text.split(",") if each.strip()]
    return parse_toml(f"value = {text}", variable)["value"]
