"""Hypotheses find their utterances by id or by path."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catok.evaluation.protocols.asr import match_hypotheses
from catok.evaluation.protocols.items import ASRItem


def item(name: str, audio: str) -> ASRItem:
    return ASRItem(name, Path(audio), "text")


CORPUS = [item("61-1", "/data/test/61/61-1.flac"), item("62-1", "/data/test/62/62-1.flac")]
SAME_STEMS = [item("x/a", "data/x/a.wav"), item("y/a", "data/x/../y/a.wav")]


def test_ids_and_paths():
    assert match_hypotheses(CORPUS, {"62-1": "two"}) == {"62-1": "two"}
    assert match_hypotheses(CORPUS, {"61/61-1": "one", "test/62/62-1": "two"}) == {
        "61-1": "one",
        "62-1": "two",
    }
    assert match_hypotheses(SAME_STEMS, {"data/y/a": "ya", "x/a": "xa"}) == {
        "x/a": "xa",
        "y/a": "ya",
    }
    named = [item("first", "wavs/x/a.wav"), item("second", "wavs/y/a.wav")]
    assert match_hypotheses(named, {"y/a": "ya"}) == {"second": "ya"}


def test_whole_names_only():
    for name in ("1/61-1", "61-", "1", "other/61-1", "61-1/61-1", "x"):
        with pytest.raises(ValueError, match=f"1 of 2 .* such as {name}: the data has .* 61-1"):
            match_hypotheses(CORPUS, {"62-1": "two", name: "one"})


def test_doubt_is_an_error():
    with pytest.raises(ValueError, match="hypothesis a could be of x/a or y/a"):
        match_hypotheses(SAME_STEMS, {"a": "which?"})
    with pytest.raises(ValueError, match="61-1 and 61/61-1 are hypotheses of one utterance"):
        match_hypotheses(CORPUS, {"61-1": "one", "61/61-1": "won"})


parts = st.sampled_from("abc")
paths = st.sets(st.lists(parts, min_size=2, max_size=4).map("/".join), min_size=1, max_size=6)


@given(paths, st.booleans())
def test_paths_from_the_top_are_never_mistaken(names, numbered):
    items = [
        item(str(number) if numbered else name, f"/top/{name}.wav")
        for number, name in enumerate(sorted(names))
    ]
    texts = {f"top/{name}": name.upper() for name in names}
    assert match_hypotheses(items, texts) == {
        each.id: name.upper() for each, name in zip(items, sorted(names), strict=True)
    }
