"""Texts with what belongs to each."""

import pytest
import torch

from catok.lm.tts.script import Line, script


def test_lists_and_one_language_for_all():
    assert script(["a", "b"], None, ["x", None], "en") == [
        Line("a", None, "x", "en"),
        Line("b", None, None, "en"),
    ]
    assert script(["a", "b"], ["v.wav", None], None, ["en", None]) == [
        Line("a", "v.wav", None, "en"),
        Line("b", None, None, None),
    ]
    assert script([], None, None, "en") == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("a", None, None, None), "texts must be a list: put the one text in brackets"),
        (
            (["a"], "v.wav", None, None),
            "references must be a list with one entry for each of the 1",
        ),
        ((["a"], torch.zeros(1, 9), None, None), "references must be a list"),
        ((["a", "b"], None, ["x"], None), "prompt_texts must be .* each of the 2 texts"),
        ((["a"], None, None, ["en", "en"]), "language must be a list"),
    ],
)
def test_lists_have_one_entry_per_text(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        script(*arguments)
