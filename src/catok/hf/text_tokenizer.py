"""A text tokenizer of ours under the name that pipelines load first."""

from typing import Any

from transformers import PreTrainedTokenizer

from catok.hf.speech_configuration import CatokSpeechConfig
from catok.lm.text import ByteTokenizer


class CatokTextTokenizer(PreTrainedTokenizer):
    """Bytes as ids, for models that are trained from nothing (`ByteTokenizer`).

    The processor lays out prompts with special tokens; this is text alone.
    """

    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012

    def __init__(self, token_lm: dict[str, Any] | None = None, **kwargs: Any) -> None:
        config = CatokSpeechConfig(token_lm).token_lm_config
        self._bytes = ByteTokenizer(config)
        self._size = config.vocab_size
        super().__init__(token_lm=config.to_dict(), **kwargs)

    @property
    def vocab_size(self) -> int:
        """Of the language model."""
        return self._size

    def get_vocab(self) -> dict[str, int]:
        """Ids by their decimal spelling."""
        return {str(number): number for number in range(self._size)}

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple:
        """There is none to save."""
        return ()

    def _tokenize(self, text: str, **kwargs: Any) -> list[str]:
        return [str(number) for number in self._bytes.encode(text)]

    def _convert_token_to_id(self, token: str) -> int:
        return int(token)

    def _convert_id_to_token(self, index: int) -> str:
        return str(index)

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """The text of ids."""
        return self._bytes.decode([int(token) for token in tokens])
