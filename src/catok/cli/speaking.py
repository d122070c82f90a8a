"""Speaking utterances into one output as they are made, and what a run of them came to."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from catok.cli import terminal
from catok.cli.batch import speed_text
from catok.cli.utterances import TextItem
from catok.lm.tts import Speech, SpeechRequest, Synthesizer
from catok.lm.tts.long_form import LongFormStream, silence
from catok.lm.tts.prompt import SpeechPrompt
from catok.lm.tts.text_splitting import split_text

if TYPE_CHECKING:
    from catok.lm.tts.best_of_n import BestOfN

NOTHING = "the model ended before it said anything: try another --seed"


class Writer(Protocol):
    """Where audio `[C, n]` goes."""

    def write(self, audio: Tensor) -> None: ...


@dataclass(frozen=True)
class SpeakOptions:
    """The command's options: `request` is how everything is spoken, unless an utterance says
    otherwise; its text is not used.
    """

    request: SpeechRequest
    max_length: int
    pause: float


@dataclass
class SpeechStats:
    """What a run came to. `first`: seconds until the first audio; `waited`: for text to come."""

    begun: float = field(default_factory=time.monotonic)
    waited: float = 0.0
    first: float | None = None
    seconds: float = 0.0
    spoken: int = 0
    cut: int = 0
    failed: int = 0
    skipped: int = 0
    detail: str = ""

    def add(self, part: "SpeechStats") -> None:
        """Count what was done of a part, perhaps by another process."""
        self.heard(part.seconds)
        self.spoken += part.spoken
        self.cut += part.cut
        self.failed += part.failed
        self.detail = part.detail

    def heard(self, seconds: float) -> None:
        """So much audio is out."""
        if self.first is None and seconds:
            self.first = self._worked()
        self.seconds += seconds

    def line(self, of: int, where: str) -> str:
        """A summary, for stderr; `where` the audio went, "" for standard output."""
        speed = (
            f", {self.detail}, {speed_text(self.seconds, self._worked())}" if self.seconds else ""
        )
        speed += f", {where}" if where and self.seconds else ""
        counts = {
            "skipped since they exist (--overwrite replaces them)": self.skipped,
            "failed": self.failed,
            "cut off": self.cut,
        }
        extra = "".join(f", {count} {what}" for what, count in counts.items() if count)
        first = "" if self.first is None else f", the first after {self.first:.2f} s"
        return (
            f"catok: spoke {self.spoken} of {of} texts, {self.seconds:.2f} s of audio{first}"
            f"{speed}{extra}"
        )

    def _worked(self) -> float:
        return time.monotonic() - self.begun - self.waited


class Speaker:
    """A synthesizer with a command's options; the reference is encoded once.

    With `best_of` everything is generated several times. `detail`: codebooks and bitrate, in words.
    """

    def __init__(
        self,
        synth: Synthesizer,
        options: SpeakOptions,
        best_of: "BestOfN | None" = None,
        detail: str = "",
    ) -> None:
        self.synth, self.options, self.best_of, self.detail = synth, options, best_of, detail
        self._request = synth.with_codes(options.request)
        self._unknown: set[str] = set()

    def stream(self, item: TextItem, seed: int) -> LongFormStream:
        """The utterance in pieces, while it is made."""
        return self.synth.synthesize_long(
            self._request_of(item, item.text, seed),
            max_length=self.options.max_length,
            pause=self.options.pause,
            best_of=self.best_of,
        )

    def prompt(self, item: TextItem) -> SpeechPrompt | None:
        """The utterance for a batch; None if it is too long for one piece."""
        request = self._request_of(item, _line(item), self.seed(item))
        if len(split_text(request.text, self.options.max_length)) > 1:
            return None
        return self.synth.prompt(request)

    def batch(self, prompts: Sequence[SpeechPrompt]) -> list[Speech]:
        """Speech of several utterances."""
        if self.best_of is None:
            return self.synth.synthesize_prompts(prompts)
        return self.best_of.synthesize_prompts(self.synth, prompts)

    def seed(self, item: TextItem) -> int:
        """The utterance's own."""
        return item.seed(self._request.seed or 0)

    def _request_of(self, item: TextItem, text: str, seed: int) -> SpeechRequest:
        """What the model reads; characters that it does not know are named once."""
        fields: dict[str, Any] = item.fields.own_fields()
        if item.reference is not None:
            fields |= {"reference": item.reference, "reference_text": item.reference_text}
        request = self.synth.as_read(replace(self._request, text=text, seed=seed, **fields))
        new = [c for c in self.synth.unknown_characters(request.text) if c not in self._unknown]
        if new:
            self._unknown.update(new)
            terminal.print_note(
                f"catok: warning: the model has hardly ever read {' '.join(new)}: what it makes of "
                "that is a guess"
            )
        return request


def _line(item: TextItem) -> str:
    return " ".join(item.text.split())


def speak_to_stream(
    speaker: Speaker, items: Iterable[tuple[TextItem, int]], writer: Writer, stats: SpeechStats
) -> int:
    """Utterances, each with its seed, into one output with pauses between; how many there were.

    Raises ValueError when one fails, or when nothing at all was said.
    """
    rate = speaker.synth.sample_rate
    gap = silence(speaker.synth.tokenizer.channels, speaker.options.pause, rate)
    count, before = 0, stats.seconds
    for count, (item, seed) in enumerate(_timed(items, stats), start=1):
        if count > 1 and gap.shape[1]:
            writer.write(gap)
        stream = speaker.stream(item, seed)
        for audio in stream:
            writer.write(audio)
            stats.heard(audio.shape[1] / rate)
        stats.spoken += 1
        stats.cut += not stream.ended
    if stats.seconds == before:
        raise ValueError(NOTHING if count else "there is no text to speak: standard input is empty")
    return count


def _timed(
    items: Iterable[tuple[TextItem, int]], stats: SpeechStats
) -> Iterator[tuple[TextItem, int]]:
    source = iter(items)
    while True:
        asked = time.monotonic()
        item = next(source, None)
        stats.waited += time.monotonic() - asked
        if item is None:
            return
        yield item
