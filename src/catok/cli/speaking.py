"""Speaking utterances: into one output as they are made, or in batches to a file each."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor
from tqdm import tqdm

from catok.audio import AudioWriter, save_audio
from catok.cli.errors import error_line
from catok.cli.utterances import Utterance
from catok.lm.tts import Speech, SpeechRequest, Synthesizer
from catok.lm.tts.long_form import LongFormStream, silence
from catok.lm.tts.prompt import SpeechPrompt
from catok.lm.tts.sentences import pieces

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
class Tally:
    """What a run came to. `first`: seconds until the first audio; `waited`: for text to come."""

    begun: float = field(default_factory=time.monotonic)
    waited: float = 0.0
    first: float | None = None
    seconds: float = 0.0
    spoken: int = 0
    cut: int = 0
    failed: int = 0
    skipped: int = 0

    def heard(self, seconds: float) -> None:
        """So much audio is out."""
        if self.first is None:
            self.first = self._worked()
        self.seconds += seconds

    def line(self, of: int) -> str:
        """A summary, for stderr."""
        factor = self._worked() / max(self.seconds, 1e-9)
        counts = {"skipped": self.skipped, "failed": self.failed, "cut off": self.cut}
        extra = "".join(f", {count} {what}" for what, count in counts.items() if count)
        first = "" if self.first is None else f", the first after {self.first:.2f} s"
        return (
            f"catok: spoke {self.spoken} of {of} texts, {self.seconds:.2f} s of audio{first}, "
            f"real-time factor {factor:.2f}{extra}"
        )

    def _worked(self) -> float:
        return time.monotonic() - self.begun - self.waited


class Speaker:
    """A synthesizer with a command's options; the reference is encoded once.

    With `best_of` everything is generated several times.
    """

    def __init__(
        self, synth: Synthesizer, options: SpeakOptions, best_of: "BestOfN | None" = None
    ) -> None:
        self.synth, self.options, self.best_of = synth, options, best_of
        self._request = synth.with_codes(options.request)

    def stream(self, item: Utterance, seed: int) -> LongFormStream:
        """The utterance in pieces, while it is made."""
        return self.synth.synthesize_long(
            self._asked(item, item.text, seed),
            max_length=self.options.max_length,
            pause=self.options.pause,
            best_of=self.best_of,
        )

    def prompt(self, item: Utterance) -> SpeechPrompt | None:
        """The utterance for a batch; None if it is too long for one piece."""
        if len(pieces(item.text, self.options.max_length)) > 1:
            return None
        return self.synth.prompt(self._asked(item, _line(item), self.seed(item)))

    def batch(self, prompts: Sequence[SpeechPrompt]) -> list[Speech]:
        """Speech of several utterances."""
        if self.best_of is None:
            return self.synth.synthesize_prompts(prompts)
        return self.best_of.synthesize_prompts(self.synth, prompts)

    def seed(self, item: Utterance) -> int:
        """The utterance's own."""
        return item.seed(self._request.seed or 0)

    def _asked(self, item: Utterance, text: str, seed: int) -> SpeechRequest:
        own: dict[str, Any] = item.fields.own_fields()
        if item.reference is not None:
            own |= {"reference": item.reference, "reference_text": item.reference_text}
        return replace(self._request, text=text, seed=seed, **own)


def _line(item: Utterance) -> str:
    return " ".join(item.text.split())


def say(
    speaker: Speaker, items: Iterable[tuple[Utterance, int]], writer: Writer, tally: Tally
) -> int:
    """Utterances, each with its seed, into one output with pauses between; how many there were.

    Raises ValueError when one fails, or when nothing at all was said.
    """
    rate = speaker.synth.sample_rate
    gap = silence(speaker.synth.tokenizer.channels, speaker.options.pause, rate)
    count, before = 0, tally.seconds
    for count, (item, seed) in enumerate(_awaited(items, tally), start=1):
        if count > 1 and gap.shape[1]:
            writer.write(gap)
        stream = speaker.stream(item, seed)
        for audio in stream:
            writer.write(audio)
            tally.heard(audio.shape[1] / rate)
        tally.spoken += 1
        tally.cut += not stream.ended
    if tally.seconds == before:
        raise ValueError(NOTHING if count else "there is no text to speak: standard input is empty")
    return count


def _awaited(
    items: Iterable[tuple[Utterance, int]], tally: Tally
) -> Iterator[tuple[Utterance, int]]:
    source = iter(items)
    while True:
        asked = time.monotonic()
        item = next(source, None)
        tally.waited += time.monotonic() - asked
        if item is None:
            return
        yield item


def say_each(
    speaker: Speaker, items: Sequence[Utterance], folder: Path, batch: int, overwrite: bool
) -> Tally:
    """Every utterance to folder/ID.wav; what is there already is left, what fails is reported."""
    tally = Tally()
    todo = [item for item in items if overwrite or not _target(folder, item).exists()]
    tally.skipped = len(items) - len(todo)
    with tqdm(total=len(todo), unit="text", disable=not sys.stderr.isatty()) as bar:
        waiting: list[tuple[Utterance, SpeechPrompt]] = []
        for item in todo:
            try:
                prompt = speaker.prompt(item)
                if prompt is None:
                    _long(speaker, item, folder, tally)
                    bar.update()
                else:
                    waiting.append((item, prompt))
            except (ValueError, OSError) as error:
                _report(error, item, tally, bar)
            if len(waiting) == batch:
                _short(speaker, waiting, folder, tally, bar)
                waiting = []
        if waiting:
            _short(speaker, waiting, folder, tally, bar)
    return tally


def _short(
    speaker: Speaker,
    waiting: Sequence[tuple[Utterance, SpeechPrompt]],
    folder: Path,
    tally: Tally,
    bar: tqdm,
) -> None:
    items, prompts = zip(*waiting, strict=True)
    for item, speech in zip(items, speaker.batch(prompts), strict=True):
        try:
            if not speech.audio.shape[1]:
                raise ValueError(NOTHING)
            save_audio(_made(folder, item), speech.audio, speech.sample_rate)
        except (ValueError, OSError) as error:
            _report(error, item, tally, bar)
            continue
        tally.heard(speech.seconds)
        tally.spoken += 1
        tally.cut += not speech.ended
        bar.update()


def _long(speaker: Speaker, item: Utterance, folder: Path, tally: Tally) -> None:
    synth = speaker.synth
    target = _made(folder, item)
    with AudioWriter(target, synth.sample_rate, synth.tokenizer.channels) as writer:
        say(speaker, [(item, speaker.seed(item))], writer, tally)


def _report(error: Exception, item: Utterance, tally: Tally, bar: tqdm) -> None:
    tally.failed += 1
    bar.write(error_line(error, item.id), file=sys.stderr)
    bar.update()


def _target(folder: Path, item: Utterance) -> Path:
    return folder / f"{item.id}.wav"


def _made(folder: Path, item: Utterance) -> Path:
    target = _target(folder, item)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target
