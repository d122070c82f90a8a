"""Text as token ids below a model's vocab_size: bytes, or a byte-pair tokenizer's own files."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from catok.extras import install
from catok.io.files import replacing
from catok.io.transformers import from_transformers
from catok.lm.config import TokenLMConfig
from catok.lm.phrases import PHRASES, split_phrases

FILES = ("tokenizer.json", "vocab.json", "tokenizer_config.json")
SPELLINGS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|audio_start|>",
    "<|audio_end|>",
    "<|audio_user_slot|>",
    "<|audio_assistant_gen_slot|>",
    "<|audio_assistant_delay_slot|>",
)


class TextTokenizer(Protocol):
    """What prompts need of a text tokenizer.

    Special tokens go by id and are none of its business; `special` are the strings that must not
    stand in ordinary text, because the official tokenizer would read them as special tokens.
    """

    @property
    def special(self) -> Sequence[str]: ...

    def encode(self, text: str) -> list[int]:
        """Ids of ordinary text; no special token is added."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids; special tokens are skipped."""
        ...


class ByteTokenizer:
    """One id per UTF-8 byte, after the special ids: for models that are trained from nothing.

    A vocab_size with just enough room for them has `PHRASES` as ids of their own after the bytes.
    """

    special = SPELLINGS

    def __init__(self, config: TokenLMConfig) -> None:
        self._offset, self._phrases = config.first_byte, config.has_phrases
        if config.vocab_size < self._offset + 256:
            raise ValueError(
                f"bytes need a vocab_size of at least {self._offset + 256}, the model has "
                f"{config.vocab_size}: give the folder that holds its tokenizer.json"
            )

    def encode(self, text: str) -> list[int]:
        """Raises ValueError on text that UTF-8 cannot hold (lone surrogates)."""
        if not self._phrases:
            return self._bytes(text)
        ids: list[int] = []
        for piece in split_phrases(text):
            ids += self._bytes(piece) if isinstance(piece, str) else [self._offset + 256 + piece]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """What is no UTF-8 becomes U+FFFD."""
        utf8 = bytearray()
        for number in (i - self._offset for i in ids):
            if 0 <= number < 256:
                utf8.append(number)
            elif self._phrases and 256 <= number < 256 + len(PHRASES):
                utf8 += PHRASES[number - 256].encode()
        return utf8.decode(errors="replace")

    def _bytes(self, text: str) -> list[int]:
        return [self._offset + byte for byte in text.encode()]


class ModelTokenizer:
    """A transformers tokenizer from a local folder; it never touches the network.

    Raises ValueError when the folder holds none that can be read.
    """

    def __init__(self, folder: str | Path) -> None:
        try:
            from transformers import AutoTokenizer  # late: slow to import
        except ImportError as error:
            raise ValueError(
                f"this tokenizer needs transformers ({error}): {install('tts')}"
            ) from error
        if not Path(folder).is_dir():
            raise ValueError(f"no folder {str(folder)!r} to read a text tokenizer from")
        try:
            tokenizer = from_transformers(AutoTokenizer, folder)
        except Exception as error:  # the tokenizers' parser raises bare Exception
            raise ValueError(
                f"cannot read a text tokenizer from {str(folder)!r} ({error}): it should hold the "
                "tokenizer.json of the model"
            ) from error
        self._tokenizer = tokenizer
        added = [str(token) for token in tokenizer.added_tokens_decoder.values()]
        self.special = tuple(dict.fromkeys([*added, *SPELLINGS]))

    def encode(self, text: str) -> list[int]:
        """Ids without special tokens."""
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def decode(self, ids: Sequence[int]) -> str:
        """Special tokens and ids that no token has are skipped."""
        known = [i for i in ids if i < len(self._tokenizer)]
        return self._tokenizer.decode(
            known, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )

    def save(self, folder: str | Path) -> None:
        """Write the tokenizer's files into `folder`, each replaced in one step."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            self._tokenizer.save_pretrained(scratch)
            for file in sorted(Path(scratch).iterdir()):
                with replacing(Path(folder) / file.name) as temporary:
                    shutil.copyfile(file, temporary)


def read_text_tokenizer(folder: str | Path, config: TokenLMConfig) -> TextTokenizer:
    """The tokenizer beside a model: its files if there are any, else bytes if they fill the vocab.

    Raises ValueError when there are no files and the vocabulary is not one of bytes.
    """
    if any((Path(folder) / name).is_file() for name in FILES):
        return ModelTokenizer(folder)
    if config.vocab_size != config.first_phrase and not config.has_phrases:
        raise ValueError(
            f"{folder} holds no tokenizer.json, and a vocab_size of {config.vocab_size} is not that"
            " of bytes: fetch the whole folder"
        )
    return ByteTokenizer(config)
