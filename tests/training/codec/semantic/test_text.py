import pytest

from catok.training.codec.semantic.text import ByteTargetTokenizer, ModelTargetTokenizer


@pytest.mark.parametrize("text", ["", "the cat", "Zoë 猫\n 😀"])
def test_round_trip(text, model_folder):
    for tokenizer in (ByteTargetTokenizer(), ModelTargetTokenizer(model_folder)):
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert all(0 <= i < tokenizer.vocab_size for i in ids)
        assert tokenizer.eos not in ids


def test_bytes_by_hand():
    tokenizer = ByteTargetTokenizer()
    assert tokenizer.encode("aé") == [97, 195, 169]
    assert tokenizer.decode([97, 195, 257]) == "a\ufffd"
    with pytest.raises(ValueError):
        tokenizer.encode("\ud800")


def test_special_tokens(model_folder, no_network):
    tokenizer = ModelTargetTokenizer(model_folder)
    assert (tokenizer.eos, tokenizer.pad, tokenizer.vocab_size) == (260, 260, 261)
    assert len(tokenizer.encode("the cat")) == 3  # merges at work
    assert tokenizer.decode([*tokenizer.encode("cat"), 260, 299]) == "cat"
    spelt = tokenizer.encode("<|endoftext|>")
    assert tokenizer.eos not in spelt and tokenizer.decode(spelt) == "<|endoftext|>"


def test_unreadable(tmp_path, no_network):
    with pytest.raises(ValueError, match="cannot read a text tokenizer"):
        ModelTargetTokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(ValueError, match="cannot read a text tokenizer"):
        ModelTargetTokenizer(tmp_path)
