"""What a semantic head is built from, and its presets (paper section 4)."""

from dataclasses import dataclass, fields, replace
from typing import Literal

TASKS = ("asr", "multi_speaker_asr", "caption")  # the paper's
SCRATCH = ("hidden_size", "layers", "heads", "key_value_heads", "intermediate_size")


@dataclass(frozen=True)
class SemanticConfig:
    """The language model, its text and its tasks.

    `language_model`: a hub id or a local folder with trained weights. Empty: a Qwen2 decoder with
    random weights, of `layers` layers, width `hidden_size`, `heads` query and `key_value_heads`
    key/value heads and feed-forward width `intermediate_size`; `vocab_size` 0 is as many rows as
    the text tokenizer needs. With a `language_model` these six stay 0.

    `text`: "bytes" writes UTF-8 bytes; "model" uses the tokenizer in `text_model` (a hub id or a
    local folder; empty: where the language model is).

    `max_text_tokens`: rows with a longer text bear no loss and are counted. `tasks`: one learned
    tag each. `gradient_checkpointing` trades time for memory.

    Raises ValueError on any combination that cannot be built.
    """

    language_model: str = ""
    hidden_size: int = 0
    layers: int = 0
    heads: int = 0
    key_value_heads: int = 0
    intermediate_size: int = 0
    vocab_size: int = 0
    text: Literal["bytes", "model"] = "bytes"
    text_model: str = ""
    max_text_tokens: int = 512
    tasks: tuple[str, ...] = TASKS
    gradient_checkpointing: bool = False

    def __post_init__(self) -> None:
        if self.text not in ("bytes", "model"):
            raise ValueError(f'text must be "bytes" or "model", got {self.text!r}')
        if self.text == "model" and not self.language_model and not self.text_model:
            raise ValueError('text "model" needs a text_model when there is no language_model')
        if self.text == "bytes" and self.text_model:
            raise ValueError('text_model is for text "model"; leave it empty with "bytes"')
        if self.max_text_tokens < 1:
            raise ValueError(f"max_text_tokens must be at least 1, got {self.max_text_tokens}")
        if not self.tasks or "" in self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"tasks must be different names, at least one: {list(self.tasks)}")
        if self.language_model:
            given = [name for name in (*SCRATCH, "vocab_size") if getattr(self, name)]
            if given:
                raise ValueError(f"language_model brings its own sizes: leave out {given}")
        else:
            self._check_sizes()

    def _check_sizes(self) -> None:
        lacking = [name for name in SCRATCH if getattr(self, name) < 1]
        if lacking or self.vocab_size < 0:
            raise ValueError(
                f"without a language_model {lacking or 'vocab_size'} must be given, at least 1"
            )
        if self.hidden_size % (2 * self.heads):
            raise ValueError(f"hidden_size must be a multiple of 2 * heads: {self.hidden_size}")
        if self.heads % self.key_value_heads:
            raise ValueError(f"heads must be a multiple of key_value_heads: {self.heads}")

    @classmethod
    def preset(cls, name: str, **changes: object) -> "SemanticConfig":
        """A named configuration, with `changes` to some of its keys.

        "qwen2.5-0.5b": the paper's, pretrained (494 M parameters); "qwen2.5-0.5b-scratch": the same
        from random weights; "small": 4.0 M, bytes; "mini": 0.4 M, bytes, for tests and for tiny
        tokenizers. Raises ValueError on other names or keys.
        """
        if name not in PRESETS:
            raise ValueError(f"no preset called {name!r}; known are {sorted(PRESETS)}")
        unknown = sorted(set(changes) - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"unknown keys for a semantic head: {unknown}")
        return replace(PRESETS[name], **changes)  # type: ignore[arg-type]


PRESETS = {
    "qwen2.5-0.5b": SemanticConfig(language_model="Qwen/Qwen2.5-0.5B", text="model"),
    "qwen2.5-0.5b-scratch": SemanticConfig(
        hidden_size=896,
        layers=24,
        heads=14,
        key_value_heads=2,
        intermediate_size=4864,
        vocab_size=151_936,  # its tokenizer has fewer; the table is padded
        text="model",
        text_model="Qwen/Qwen2.5-0.5B",
    ),
    "small": SemanticConfig(
        hidden_size=256, layers=4, heads=4, key_value_heads=2, intermediate_size=1024
    ),
    "mini": SemanticConfig(
        hidden_size=128, layers=2, heads=4, key_value_heads=2, intermediate_size=384
    ),
}
