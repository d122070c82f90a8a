"""Subtitles of the SubRip kind: words in cues that can be read in passing."""

from collections.abc import Sequence

from catok.lm.asr.transcript import Transcript, Word, join_texts

LONGEST_CUE, LONGEST_LINE, PAUSE = 6.0, 42, 0.8  # seconds, characters, seconds
SENTENCE_ENDS = (".", "?", "!", "…", "\u3002", "\uff01", "\uff1f")  # the last three are CJK's


def cues(words: Sequence[Word]) -> list[Word]:
    """Neighbouring words as one: up to a sentence's end, a pause, a full line or a long time."""
    merged: list[Word] = []
    fresh = True
    for word in words:
        if not fresh:
            before = merged[-1]
            text = join_texts([before.text, word.text])
            fresh = (
                word.start - before.end > PAUSE
                or word.end - before.start > LONGEST_CUE
                or len(text) > LONGEST_LINE
            )
            if not fresh:
                merged[-1] = Word(text, before.start, word.end)
        if fresh:
            merged.append(word)
        fresh = word.text.endswith(SENTENCE_ENDS)
    return merged


def subrip(transcript: Transcript, seconds: float) -> str:
    """A transcript as a .srt file's content; without times of words, one cue of all `seconds`."""
    blocks = [
        f"{number}\n{_clock(cue.start)} --> {_clock(cue.end)}\n{cue.text}\n"
        for number, cue in enumerate(cues(_timed(transcript, seconds)), start=1)
    ]
    return "\n".join(blocks)


def webvtt(transcript: Transcript, seconds: float) -> str:
    """The same as a .vtt file's content. Source: W3C, WebVTT: The Web Video Text Tracks Format."""
    blocks = [
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{_escaped(cue.text)}\n"
        for cue in cues(_timed(transcript, seconds))
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def _timed(transcript: Transcript, seconds: float) -> Sequence[Word]:
    if transcript.words is not None:
        return transcript.words
    return [Word(transcript.text, 0.0, seconds)] if transcript.text else []


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, point: str = ",") -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"
