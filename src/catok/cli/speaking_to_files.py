"""Speaking utterances to a file each: in batches, in several processes."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from catok.audio import AudioWriter, save_audio
from catok.cli import terminal
from catok.cli.errors import error_line
from catok.cli.files import Existing
from catok.cli.folders import announce
from catok.cli.speaking import NOTHING, Speaker, SpeechStats, speak_to_stream
from catok.cli.utterances import TextItem
from catok.lm.tts.prompt import SpeechPrompt
from catok.worker_pool import WorkerPool


@dataclass(frozen=True)
class Outputs:
    """Where the utterances of a list go: `folder`/ID and the suffix."""

    folder: Path
    suffix: str

    def of(self, item: TextItem) -> Path:
        """The file of one utterance."""
        return self.folder / f"{item.id}{self.suffix}"


def speak_to_files(
    build: Callable[[], Speaker],
    items: Sequence[TextItem],
    unread: Mapping[str, str],
    outputs: Outputs,
    existing: Existing,
    *,
    batch: int,
    workers: int = 1,
    threads: int | None = None,
) -> SpeechStats:
    """Every utterance to its file, unless that exists; what fails is reported.

    `build` makes the speaker, in every one of several `workers`, which take `batch` utterances at a
    time. `unread`: ids of texts that could not be read, and why not.
    """
    stats = SpeechStats()
    todo = [item for item in items if not existing.keeps(outputs.of(item), named=False)]
    stats.skipped = len(items) - len(todo)
    for item in todo:
        announce(outputs.of(item).parent)
    for name, reason in unread.items():
        _report(ValueError(reason), name, stats)
    parts = [todo[start : start + batch] for start in range(0, len(todo), batch)]
    workers = max(1, min(workers, len(parts)))
    with terminal.bar(len(todo), unit="text") as bar, WorkerPool(build, workers, threads) as pool:
        if workers == 1 and todo:
            pool.call(_ready, None)  # what was loaded is not counted as time to speak
            stats.begun = time.monotonic()
        for count, part in pool.imap_unordered(partial(_say_part, outputs), parts):
            stats.add(part)
            bar.update(count)
    return stats


def _ready(speaker: Speaker, item: None) -> None:
    """Nothing to do but to be there."""


def _say_part(
    outputs: Outputs, speaker: Speaker, items: Sequence[TextItem]
) -> tuple[int, SpeechStats]:
    """Some utterances, the short ones in one batch."""
    stats = SpeechStats(detail=speaker.detail)
    waiting: list[tuple[TextItem, SpeechPrompt]] = []
    for item in items:
        try:
            prompt = speaker.prompt(item)
            if prompt is None:
                _speak_long(speaker, item, outputs.of(item), stats)
            else:
                waiting.append((item, prompt))
        except (ValueError, OSError) as error:
            _report(error, item.id, stats)
    if waiting:
        _speak_short(speaker, waiting, outputs, stats)
    return len(items), stats


def _speak_short(
    speaker: Speaker,
    waiting: Sequence[tuple[TextItem, SpeechPrompt]],
    outputs: Outputs,
    stats: SpeechStats,
) -> None:
    items, prompts = zip(*waiting, strict=True)
    for item, speech in zip(items, speaker.batch(prompts), strict=True):
        try:
            if not speech.audio.shape[1]:
                raise ValueError(NOTHING)
            save_audio(_with_folder(outputs.of(item)), speech.audio, speech.sample_rate)
        except (ValueError, OSError) as error:
            _report(error, item.id, stats)
            continue
        stats.heard(speech.seconds)
        stats.spoken += 1
        stats.cut += not speech.ended


def _speak_long(speaker: Speaker, item: TextItem, target: Path, stats: SpeechStats) -> None:
    synth = speaker.synth
    with AudioWriter(_with_folder(target), synth.sample_rate, synth.tokenizer.channels) as writer:
        speak_to_stream(speaker, [(item, speaker.seed(item))], writer, stats)


def _report(error: Exception, name: str, stats: SpeechStats) -> None:
    stats.failed += 1
    terminal.print_error(error_line(error, name))


def _with_folder(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    return target
