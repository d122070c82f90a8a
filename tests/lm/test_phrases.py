"""The wording of requests as single ids: nothing lost, and short."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catok.data.prompt_fields import PromptFields
from catok.lm.config import TokenLMConfig
from catok.lm.messages import user_message
from catok.lm.phrases import PHRASES, split_phrases
from catok.lm.prompt import PromptBuilder
from catok.lm.text import ByteTokenizer, read_text_tokenizer

CONFIG = replace(TokenLMConfig.preset("tts-small"), text_rate=0.0)
PLAIN = replace(CONFIG, language_config=replace(CONFIG.language_config, vocab_size=264))
pieces = st.lists(st.sampled_from([*PHRASES, *"abÄ\n- ", "None", "user"])).map("".join)


@given(pieces)
def test_pieces_make_up_the_text(text):
    found = split_phrases(text)
    assert "".join(p if isinstance(p, str) else PHRASES[p] for p in found) == text
    assert "" not in found


@given(pieces)
def test_ids_come_back_as_text(text):
    tokenizer = ByteTokenizer(CONFIG)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert all(8 <= i < CONFIG.vocab_size for i in ids)
    assert ByteTokenizer(PLAIN).encode(text) == [8 + byte for byte in text.encode()]


def test_requests_are_short():
    def rows(config, **fields):
        message = user_message("Hello.", PromptFields(language="en", **fields))
        return len(PromptBuilder(config, ByteTokenizer(config)).generation([message]))

    assert rows(CONFIG) <= 18 and rows(PLAIN) > 170
    assert rows(CONFIG, instruction="Slowly.") < 60


def test_the_vocabulary_decides(tmp_path):
    for config in (CONFIG, PLAIN):
        found = read_text_tokenizer(tmp_path, config)
        assert isinstance(found, ByteTokenizer)
        assert (len(found.encode("user\n")) == 1) == (config is CONFIG)
    other = replace(CONFIG, language_config=replace(CONFIG.language_config, vocab_size=265))
    with pytest.raises(ValueError, match="not that of bytes"):
        read_text_tokenizer(tmp_path, other)
