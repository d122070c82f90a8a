import pytest
from hypothesis import given
from hypothesis import strategies as st

from catok.lm.config import LanguageConfig, TokenLMConfig
from catok.lm.text import ByteTokenizer, ModelTokenizer, read_text_tokenizer
from tests.lm.conftest import small_config


@pytest.fixture(scope="module")
def tokenizer_folder(tmp_path_factory):
    """A byte-level BPE with two special tokens, as a released folder would hold it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|im_start|>", "<|strange|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["hello there, hello here"] * 3, trainer)
    folder = tmp_path_factory.mktemp("tokenizer")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    return folder


@given(st.text(max_size=30).filter(lambda text: text.isprintable()))
def test_bytes_come_after_the_special_ids_and_back(text):
    tokenizer = ByteTokenizer(small_config())
    ids = tokenizer.encode(text)
    assert ids == [8 + byte for byte in text.encode()]
    assert tokenizer.decode([1, *ids, 4]) == text


def test_bytes_need_room():
    language = LanguageConfig(vocab_size=263)
    with pytest.raises(ValueError, match="at least 264"):
        ByteTokenizer(small_config(language_config=language))


def test_a_model_tokenizer_reads_saves_and_names_its_special_strings(tokenizer_folder, tmp_path):
    tokenizer = ModelTokenizer(tokenizer_folder)
    ids = tokenizer.encode("hello there ü")
    assert len(ids) < len("hello there ü".encode())
    assert tokenizer.decode([0, *ids, 10_000]) == "hello there ü"
    assert {"<|strange|>", "<|audio_start|>"} <= set(tokenizer.special)
    tokenizer.save(tmp_path / "copy")
    assert ModelTokenizer(tmp_path / "copy").encode("hello there ü") == ids


def test_the_tokenizer_beside_a_model_is_found(tokenizer_folder, tmp_path):
    assert isinstance(read_text_tokenizer(tokenizer_folder, small_config()), ModelTokenizer)
    assert isinstance(read_text_tokenizer(tmp_path, small_config()), ByteTokenizer)
    with pytest.raises(ValueError, match="fetch the whole folder"):
        read_text_tokenizer(tmp_path, TokenLMConfig())


def test_folders_without_a_tokenizer_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no folder"):
        ModelTokenizer(tmp_path / "missing")
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match="cannot read a text tokenizer"):
        ModelTokenizer(tmp_path)
