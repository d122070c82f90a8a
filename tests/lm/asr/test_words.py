"""Words and their times, pauses, and joined transcripts."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.lm.asr.segmentation import cut_points, frame_loudness
from catok.lm.asr.subtitles import cues, subrip
from catok.lm.asr.transcript import (
    Transcript,
    Word,
    join_texts,
    join_transcripts,
    spelled,
    timed_words,
)
from catok.lm.text import ByteTokenizer
from tests.lm.conftest import small_config

TEXT = ByteTokenizer(small_config())


def words_of(text: str, seconds: float = 0.5) -> list[tuple[str, float, float]]:
    """Each byte at a position of its own."""
    tokens = TEXT.encode(text)
    return [tuple(w) for w in timed_words(tokens, [(i, i + 1) for i in range(999)], TEXT, seconds)]


def test_words_are_parted_by_space():
    assert words_of("a  bc\nd") == [("a", 0, 0.5), ("bc", 1.5, 2.5), ("d", 3.0, 3.5)]
    assert words_of(" ") == words_of("") == []


def test_characters_of_scripts_without_spaces_are_words():
    assert words_of("早上ok", 1.0) == [("早", 0, 3), ("上", 3, 6), ("ok", 6, 8)]
    assert [w for w, *_ in words_of("がカaф早 한국")] == ["が", "カ", "aф", "早", "한국"]


def test_thai_words_are_characters_with_their_marks():
    assert words_of("น้ำ", 1.0) == [("น้", 0, 6), ("ำ", 6, 9)]


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=12))
def test_spelled_pieces_join_to_the_text_and_share_out_the_tokens(text):
    tokens = TEXT.encode(text.encode(errors="ignore").decode())
    pieces = spelled(tokens, TEXT)
    assert "".join(piece for piece, _, _ in pieces) == TEXT.decode(tokens)
    assert [i for _, first, end in pieces for i in range(first, end)] == list(range(len(tokens)))


def test_half_a_character_is_kept_as_such():
    assert [piece for piece, _, _ in spelled(TEXT.encode("ä")[:1], TEXT)] == ["�"]


@settings(max_examples=30, deadline=None)
@given(
    loudness=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=60),
    limit=st.integers(1, 20),
    window=st.integers(1, 25),
)
def test_pieces_cover_the_recording_and_end_at_quiet_frames(loudness, limit, window):
    pieces = cut_points(loudness, len(loudness), limit, window)
    assert [start for start, _ in pieces] == [0] + [end for _, end in pieces[:-1]]
    assert pieces[-1][1] == len(loudness)
    assert all(0 < end - start <= limit for start, end in pieces)
    for start, end in pieces[:-1]:
        near = loudness[start + max(0, limit - window) : start + limit]
        assert loudness[end - 1] == min(near)


@settings(max_examples=20, deadline=None)
@given(
    loudness=st.lists(st.floats(0, 1, width=32), min_size=30, max_size=60),
    known=st.integers(0, 30),
)
def test_what_comes_later_does_not_move_an_earlier_cut(loudness, known):
    whole = cut_points(loudness, len(loudness), 10, 4)
    early = cut_points(loudness[: len(loudness) - known], len(loudness) - known, 10, 4)
    assert early[:-1] == whole[: len(early) - 1]


def test_loudness_counts_whole_frames_of_all_channels():
    audio = torch.tensor([[3.0, 3.0, 0.0, 0.0, 9.0], [4.0, 4.0, 0.0, 0.0, 9.0]])
    assert frame_loudness(audio, 2).tolist() == pytest.approx([12.5**0.5, 0.0])
    with pytest.raises(ValueError, match="1 frame or more"):
        cut_points([0.1], 1, 0, 1)


def test_joined_transcripts_shift_their_times():
    first = Transcript("a b", (1, 2, 3), -1.0, (Word("a", 0, 1), Word("b", 1, 2)))
    second = Transcript("c", (4,), -0.5, (Word("c", 0.5, 1),), ended=False)
    joined = join_transcripts([first, second], [0, 10])
    assert joined.text == "a b c"
    assert (joined.tokens, joined.log_prob, joined.ended) == ((1, 2, 3, 4), -1.5, False)
    assert joined.words == (*first.words, Word("c", 10.5, 11))
    untimed = Transcript("d", (5,), 0.0)
    assert join_transcripts([first, untimed], [0, 10]).words is None
    assert join_texts(["", "你", "好", "ok", "", "go"]) == "你好ok go"


def test_cues_end_with_sentences_pauses_full_lines_and_long_times():
    def texts(*words: tuple[str, float, float]) -> list[str]:
        return [cue.text for cue in cues([Word(*word) for word in words])]

    assert texts(("Oh.", 0, 1), ("a", 1, 2), ("b", 2, 3)) == ["Oh.", "a b"]
    assert texts(("a", 0, 1), ("b", 1.7, 2), ("c", 3, 4)) == ["a b", "c"]
    assert texts(("a", 0, 3), ("b", 3, 5.9), ("c", 5.9, 7)) == ["a b", "c"]
    assert texts(("x" * 30, 0, 1), ("y" * 11, 1, 2), ("z", 2, 3)) == [
        "x" * 30 + " " + "y" * 11,
        "z",
    ]


def test_subrip():
    words = (Word("你", 0.04, 0.5), Word("好", 0.5, 1), Word("yes", 3725.6, 3726))
    text = subrip(Transcript("你好 yes", (), 0.0, words), 4000.0)
    assert text == (
        "1\n00:00:00,040 --> 00:00:01,000\n你好\n\n2\n01:02:05,600 --> 01:02:06,000\nyes\n"
    )
    untimed = subrip(Transcript("a b", (), 0.0), 2.5)
    assert untimed == "1\n00:00:00,000 --> 00:00:02,500\na b\n"
    assert subrip(Transcript("", (), 0.0), 2.5) == ""
