import pytest

from catok.data.languages import has_ideographs, is_unspaced, language_code, space_between


@pytest.mark.parametrize(
    ("label", "code"), [("en-GB", "en"), ("EN_us", "en"), ("zh", "zh"), (None, None), ("", "")]
)
def test_short_codes(label, code):
    assert language_code(label) == code


@pytest.mark.parametrize("character", "你々あカｶｰไລမក")
def test_scripts_without_spaces(character):
    assert is_unspaced(character)


@pytest.mark.parametrize("character", "aéд한1。 ")
def test_scripts_with_spaces(character):
    assert not is_unspaced(character)


def test_ideographs_are_chinese_characters_only():
    assert has_ideographs("a 你")
    assert not has_ideographs("aあไ한")


@pytest.mark.parametrize(
    ("before", "after", "space"),
    [
        ("Hello.", "You", " "),
        ("Hello. ", "You", ""),
        ("你。", "You", ""),
        ("你", "You", ""),
        ("You", "あ", ""),
        ("안녕하세요.", "반갑습니다.", " "),
        ("안녕", "하세요", " "),
        ("สวัสดี", "ครับ", " "),
    ],
)
def test_spaces_between_texts(before, after, space):
    assert space_between(before, after) == space
