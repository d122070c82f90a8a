"""Subtitles of the SubRip kind: words in cues that can be read in passing."""

from collections.abc import Sequence

from catok.lm.asr.transcript import Transcript, Word, join_texts

LONGEST_CUE, LONGEST_LINE, PAUSE = 6.0, 42, 0.8  # seconds, characters, seconds
SENTENCE_ENDS = (".", "?", "!", "…", "\u3002", "\uff01", "\uff1f")  # the last three are CJK's


def cues(words: Sequence[Word]) -> list[Word]:
    """Neighbouring words as one: up to a sentence's end, a pause, a full line or a long time."""
    found: list[Word] = []
    fresh = True
    for word in words:
        if not fresh:
            before = found[-1]
            text = join_texts([before.text, word.text])
            fresh = (
                word.start - before.end > PAUSE
                or word.end - before.start > LONGEST_CUE
                or len(text) > LONGEST_LINE
            )
            if not fresh:
                found[-1] = Word(text, before.start, word.end)
        if fresh:
            found.append(word)
        fresh = word.text.endswith(SENTENCE_ENDS)
    return found


def subrip(transcript: Transcript, seconds: float) -> str:
    """A transcript as a .srt file's content; without times of words, one cue of all `seconds`."""
    timed = transcript.words
    if timed is None:
        timed = [Word(transcript.text, 0.0, seconds)] if transcript.text else []
    blocks = [
        f"{number}\n{_clock(cue.start)} --> {_clock(cue.end)}\n{cue.text}\n"
        for number, cue in enumerate(cues(timed), start=1)
    ]
    return "\n".join(blocks)


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02},{milliseconds % 1000:03}"
