"""The configuration of a token language model; keys and defaults are those of the released one."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import resources
from typing import Any

from catok.io.config import read_config
from catok.io.numbers import check_number
from catok.lm.phrases import PHRASES

PRESETS = resources.files("catok.lm") / "presets"
SPECIAL = (
    "pad_token_id",
    "im_start_token_id",
    "im_end_token_id",
    "audio_start_token_id",
    "audio_end_token_id",
    "audio_user_slot_token_id",
    "audio_assistant_gen_slot_token_id",
    "audio_assistant_delay_slot_token_id",
)


@dataclass(frozen=True)
class LanguageConfig:
    """The temporal transformer: Qwen3 without rope scaling, sliding window or attention bias."""

    vocab_size: int = 151_936
    hidden_size: int = 2048
    intermediate_size: int = 6144
    num_hidden_layers: int = 28
    num_attention_heads: int = 16
    num_key_value_heads: int = 8
    head_dim: int = 128
    rms_norm_eps: float = 1e-6
    rope_theta: float = 1_000_000.0
    max_position_embeddings: int = 40_960

    def __post_init__(self) -> None:
        _check_positive(self)
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"{self.num_attention_heads} attention heads cannot share "
                f"{self.num_key_value_heads} key/value heads evenly: make one divide the other"
            )
        if self.head_dim % 2:
            raise ValueError(f"head_dim must be even (it is rotated), got {self.head_dim}")


@dataclass(frozen=True)
class TokenLMConfig:
    """Everything that decides a token language model's weights and numerics.

    Channel 0 is text, channels 1 to `n_vq` are codebooks of `audio_vocab_size` codes and one pad
    code. The depth transformer is `local_hidden_size` wide and has the heads of the temporal one.
    `text_rate`: bytes of text that are said in a frame, roughly; text and its speech then stand
    side by side (`positions.py`). 0: rows count up, as in the released models.
    `audio_heads` False leaves out the heads that predict codes: a recogniser, which cannot speak.
    Source: `docs/spec/tts-layout.md` (a).
    """

    n_vq: int = 32
    audio_vocab_size: int = 1024
    audio_pad_code: int = 1024
    sampling_rate: int = 24_000
    local_num_layers: int = 4
    local_hidden_size: int = 1536
    local_ffn_hidden_size: int = 8960
    additional_mlp_ffn_hidden_size: int = 2048
    initializer_range: float = 0.02
    pad_token_id: int = 151_643
    im_start_token_id: int = 151_644
    im_end_token_id: int = 151_645
    audio_start_token_id: int = 151_652
    audio_end_token_id: int = 151_653
    audio_user_slot_token_id: int = 151_654
    audio_assistant_gen_slot_token_id: int = 151_656
    audio_assistant_delay_slot_token_id: int = 151_662
    text_rate: float = 0.0
    audio_heads: bool = True
    language_config: LanguageConfig = field(default_factory=LanguageConfig)

    def __post_init__(self) -> None:
        _check_positive(self)
        if self.audio_pad_code != self.audio_vocab_size:
            raise ValueError(
                f"audio_pad_code must be the code after the last, {self.audio_vocab_size}, got "
                f"{self.audio_pad_code}"
            )
        if self.local_num_layers > self.language_config.num_hidden_layers:
            raise ValueError(
                f"{self.local_num_layers} depth layers over "
                f"{self.language_config.num_hidden_layers} temporal ones: the released layout "
                "allows no more depth than temporal layers"
            )
        ids = [getattr(self, name) for name in SPECIAL]
        outside = [i for i in ids if not 0 <= i < self.vocab_size]
        if outside or len(set(ids)) < len(ids):
            raise ValueError(
                f"special token ids must differ and lie below vocab_size {self.vocab_size}, got "
                f"{dict(zip(SPECIAL, ids, strict=True))}"
            )
        check_number("text_rate", self.text_rate, at_least=0)
        if self.text_rate and not self.has_phrases:
            raise ValueError(
                "text_rate is above 0 only where text is bytes and phrases: "
                f"{self.text_rate} with a vocab_size of {self.vocab_size}"
            )

    @property
    def channels(self) -> int:
        """Text and audio channels together."""
        return 1 + self.n_vq

    @property
    def vocab_size(self) -> int:
        """Text ids, special ones included."""
        return self.language_config.vocab_size

    @property
    def first_byte(self) -> int:
        """Of text in bytes, the id of byte 0: the first after the special ids."""
        return 1 + max(getattr(self, name) for name in SPECIAL)

    @property
    def first_phrase(self) -> int:
        """The id after the last byte's: that of the first of `PHRASES`, if there are any."""
        return self.first_byte + 256

    @property
    def has_phrases(self) -> bool:
        """Whether the vocabulary is bytes and, with nothing to spare, `PHRASES`."""
        return self.vocab_size == self.first_phrase + len(PHRASES)

    @property
    def width(self) -> int:
        """D, of the temporal transformer."""
        return self.language_config.hidden_size

    @classmethod
    def preset(cls, name: str) -> "TokenLMConfig":
        """A named configuration: "1.7b" is the released model; "small" (15 M parameters), "mini"
        (2 M), "tts-small" (9 M) and "asr-small" (5 M) read bytes and can be trained on a CPU. They
        stand in `presets/NAME.json`. Raises ValueError on other names.
        """
        known = {file.name.removesuffix(".json"): file for file in PRESETS.iterdir()}
        if name not in known:
            raise ValueError(f"no preset called {name!r}; known are {sorted(known)}")
        return cls.from_dict(json.loads(known[name].read_text()))

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, for JSON; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "TokenLMConfig":
        """Read `to_dict`'s output. Raises ValueError on unknown or ill-typed keys."""
        return read_config(cls, data, "token_lm")


def _check_positive(config: LanguageConfig | TokenLMConfig) -> None:
    for name, value in vars(config).items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and not name.endswith(("_id", "text_rate")):
            check_number(name, value, above=0)
