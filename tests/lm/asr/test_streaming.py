"""Streams against the offline result."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.lm.asr import DecodingConfig, Partial
from tests.lm.asr.conftest import BEAM, CTC, GREEDY, make, noise, same

LONG = DecodingConfig("greedy", timestamps=True, max_seconds=0.8, pause_window=0.3)


@settings(max_examples=8, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 9_000), min_size=1, max_size=6),
    config=st.sampled_from([GREEDY, BEAM, CTC, LONG]),
)
def test_any_chunking_ends_with_the_offline_transcript(recognizer, cuts, config):
    audio = noise(sum(cuts) + 1)
    session = recognizer.stream(config)
    for chunk in audio.split([*cuts, 1], dim=1):
        session.push(chunk)
    same(session.finish(), recognizer.transcribe(audio, 24_000, config))


def test_a_session_may_be_used_again_and_without_a_head(headless):
    session = headless.stream(GREEDY)
    for seed in range(2):
        audio = noise(20_000, seed=seed)
        session.push(audio[0, :7_000])
        session.push(audio[0, 7_000:])
        same(session.finish(), headless.transcribe(audio, 24_000, GREEDY))


def test_partial_texts_are_those_of_what_has_been_heard(recognizer, small_model):
    audio, session = noise(1920 * 12), recognizer.stream(CTC)
    seen = []
    for frames, chunk in enumerate(audio.split(1920, dim=1), start=1):
        partial = session.push(chunk)
        heard = recognizer.transcribe(audio[:, : 1920 * frames], 24_000, CTC)
        assert partial == Partial(heard.text)
        seen.append(partial.text)
    assert len(set(seen)) > 4


def test_without_a_head_partial_texts_come_at_intervals(headless):
    audio = noise(1920 * 12)
    session = headless.stream(GREEDY, partial_seconds=0.32)
    for frames, chunk in enumerate(audio.split(1920, dim=1), start=1):
        partial = session.push(chunk)
        told = audio[:, : 1920 * (frames // 4 * 4)]
        expected = headless.transcribe(told, 24_000, GREEDY).text if frames >= 4 else ""
        assert partial.text == expected


def test_every_frame_goes_through_the_model_once(small_model, monkeypatch):
    recognizer = make(small_model)
    session, rows = recognizer.stream(CTC), []
    whole = recognizer.model.temporal

    def counted(*arguments, **named):
        rows.append(arguments[0].shape[1])
        return whole(*arguments, **named)

    monkeypatch.setattr(recognizer.model, "temporal", counted)
    for chunk in noise(1920 * 10).split(2_500, dim=1):
        session.push(chunk)
    assert sum(rows) == 10
    session.finish()
    prompt = recognizer.prefiller.prompt
    assert sum(rows) == 10 + len(prompt.closing) + len(prompt.opening)  # and a new one has begun


@pytest.mark.parametrize("chunk", [1920, 5_000, 50_000])
def test_long_streams_are_cut_like_files(recognizer, chunk):
    config = DecodingConfig("ctc", timestamps=True, max_seconds=0.8, pause_window=0.5)
    loudness = noise(60, seed=5)[0].abs().repeat_interleave(1920)
    audio, session = noise(60 * 1920 - 7) * loudness[:-7], recognizer.stream(config)
    texts = [session.push(piece).text for piece in audio.split(chunk, dim=1)]
    found = session.finish()
    same(found, recognizer.transcribe(audio, 24_000, config))
    assert len(recognizer.pieces(60, torch.ones(60), config)) >= 6
    assert found.words[-1].end > 4.0 and found.text.startswith(texts[0][:3])


def test_bad_pushes_leave_the_session_as_it_was(recognizer, headless):
    audio, session = noise(9_000), recognizer.stream(CTC)
    session.push(audio[:, :5_000])
    with pytest.raises(ValueError, match="NaN"):
        session.push(audio * float("nan"))
    with pytest.raises(ValueError, match=r"1 channel\(s\), the audio has 2"):
        session.push(torch.zeros(2, 100))
    session.push(audio[:, 5_000:])
    same(session.finish(), recognizer.transcribe(audio, 24_000, CTC))
    with pytest.raises(ValueError, match="no audio was pushed"):
        session.finish()
    with pytest.raises(ValueError, match="no CTC head"):
        headless.stream(CTC)
    with pytest.raises(ValueError, match="partial_seconds must be above 0"):
        recognizer.stream(partial_seconds=0)
