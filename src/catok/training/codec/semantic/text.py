"""Text as token ids: UTF-8 bytes without any download, or a language model's own tokenizer."""

import shutil
import tempfile
from pathlib import Path
from typing import Protocol

from catok.io.files import replacing
from catok.io.transformers import from_transformers
from catok.training.codec.semantic.semantic_config import SemanticConfig


class TargetTokenizer(Protocol):
    """What the semantic head needs of the tokenizer of its targets.

    Ids are below `vocab_size`; `eos` ends a text and is not part of it, `pad` fills rows that have
    ended. `encode` adds no special tokens; `decode` skips them.
    """

    eos: int
    pad: int
    vocab_size: int

    def encode(self, text: str) -> list[int]: ...

    def decode(self, ids: list[int]) -> str: ...


class ByteTargetTokenizer:
    """UTF-8 bytes, then eos and pad."""

    eos = 256
    pad = 257
    vocab_size = 258

    def encode(self, text: str) -> list[int]:
        """One id per UTF-8 byte. Raises ValueError on text that UTF-8 cannot hold (surrogates)."""
        return list(text.encode())

    def decode(self, ids: list[int]) -> str:
        """Text of the ids; what is no UTF-8 becomes U+FFFD."""
        return bytes(i for i in ids if i < 256).decode(errors="replace")


class ModelTargetTokenizer:
    """A transformers tokenizer, by hub id or local folder; the folder never touches the network.

    Text that spells a special token, such as "<|endoftext|>", is encoded as ordinary characters.
    Raises ValueError if it cannot be read or has no end-of-text token.
    """

    def __init__(self, name_or_folder: str | Path) -> None:
        from transformers import AutoTokenizer  # late: slow to import

        try:
            tokenizer = from_transformers(AutoTokenizer, name_or_folder)
        except Exception as error:  # the tokenizers' parser raises bare Exception
            raise ValueError(
                f"cannot read a text tokenizer from {str(name_or_folder)!r} ({error}): give a local"
                " folder with tokenizer.json or a hub id, and check the network"
            ) from error
        if tokenizer.eos_token_id is None:
            raise ValueError(f"the text tokenizer in {name_or_folder} has no end-of-text token")
        self._tokenizer = tokenizer
        self.eos = int(tokenizer.eos_token_id)
        pad = tokenizer.pad_token_id
        self.pad = self.eos if pad is None else int(pad)
        self.vocab_size = len(tokenizer)

    def encode(self, text: str) -> list[int]:
        """Ids without special tokens."""
        return self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)

    def decode(self, ids: list[int]) -> str:
        """Text of the ids; special tokens are skipped, as are ids that no token has."""
        known = [i for i in ids if i < self.vocab_size]
        return self._tokenizer.decode(
            known, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )

    def save(self, folder: Path) -> None:
        """Write the tokenizer's files into `folder`, each replaced in one step."""
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            self._tokenizer.save_pretrained(scratch)
            for file in sorted(Path(scratch).iterdir()):
                with replacing(folder / file.name) as temporary:
                    shutil.copyfile(file, temporary)


def read_target_tokenizer(config: SemanticConfig) -> TargetTokenizer:
    """The tokenizer that a configuration names. ValueError if it cannot be read."""
    if config.text == "bytes":
        return ByteTargetTokenizer()
    return ModelTargetTokenizer(config.text_model or config.language_model)
