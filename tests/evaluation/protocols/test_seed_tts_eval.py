"""Seed-TTS-Eval's lists and its words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catok.evaluation.protocols.items import TTSItem
from catok.evaluation.protocols.seed_tts_eval import read_seed_tts_list
from catok.evaluation.text_units import seed_tts_units

FOUR = "u1|What was said.|prompts/a.wav|What is to be said."
FIVE = "u2.wav|甲乙。|prompts/b.wav|丙丁。|wavs/u2.wav"


def test_four_and_five_fields(put, tmp_path):
    first, second = read_seed_tts_list(put("set/meta.lst", FOUR, "", FIVE))
    prompt = tmp_path / "set" / "prompts" / "a.wav"
    assert first == TTSItem("u1", "What is to be said.", "en", prompt, "What was said.")
    assert second.id == "u2"
    assert second.language == "zh"  # by its characters
    assert second.target == tmp_path / "set" / "wavs" / "u2.wav"


def test_language_by_folder_and_by_argument(put):
    latin = FOUR
    path = put("zh/meta.lst", latin)
    assert read_seed_tts_list(path)[0].language == "zh"
    assert read_seed_tts_list(path, "de")[0].language == "de"


def test_absolute_paths_stay(put):
    item = read_seed_tts_list(put("meta.lst", "u|t|/data/a.wav|x"))[0]
    assert str(item.prompt_audio) == "/data/a.wav"


@pytest.mark.parametrize("line", ["u3|only|three", "u3|a|b|c|d|e", "u3|a||c", "no bars"])
def test_malformed_lines_are_named(put, line):
    path = put("meta.lst", FOUR, "", line)
    with pytest.raises(ValueError, match=r"meta\.lst, line 3: needs id\|prompt text"):
        read_seed_tts_list(path)


def test_ids_come_once_and_lists_hold_something(put):
    with pytest.raises(ValueError, match="two utterances u1"):
        read_seed_tts_list(put("meta.lst", FOUR, FOUR))
    with pytest.raises(ValueError, match="lists no utterances"):
        read_seed_tts_list(put("empty.lst", ""))
    with pytest.raises(ValueError, match=r"nowhere\.lst cannot be read"):
        read_seed_tts_list("nowhere.lst")


def test_words_of_english():
    text = "It's  25 o’clock - or “so”, e.g. NOW!"  # noqa: RUF001
    assert seed_tts_units(text, "en") == ["it's", "25", "oclock", "or", "so", "eg", "now"]


def test_characters_of_chinese():
    text = "你好，ABC 世界。（一）"  # noqa: RUF001
    assert seed_tts_units(text, "zh") == list("你好ABC世界一")  # capitals stay


@given(st.text())
def test_words_are_prepared_once_and_for_all(text):
    for language in ("en", "zh"):
        units = seed_tts_units(text, language)
        assert all(units) and not any(unit.isspace() for unit in units)
        assert seed_tts_units(" ".join(units), language) == units
