"""Players and spectrograms of the examples, cut so that the page stays small."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from catok.audio import audio_info, load_audio, save_audio
from catok.evaluation.report.html import data_url, escaped, join_lines, tag
from catok.evaluation.report.images import framed_spectrogram, mel_levels, spectrogram_png
from catok.evaluation.run.artifacts import CLIP_SECONDS
from catok.evaluation.run.summary import Clip, ExampleClips

MAX_CHARACTERS = 4_300_000  # characters of the page for sound and pictures
SHORTEST = 2.0  # seconds that a clip must last to be of use
_PICTURE = 22_000  # bytes, generously
_BASE64 = 4 / 3


@dataclass(frozen=True)
class FittingExamples:
    """What goes into the page: examples, and seconds of each clip."""

    examples: list[ExampleClips]
    seconds: float


def fit_to_budget(
    out: Path, examples: Sequence[ExampleClips], budget: float = MAX_CHARACTERS
) -> FittingExamples:
    """As many examples as fit with clips of at least `SHORTEST` seconds, one at the least.

    Domains take turns, so that the last examples of each domain go first.
    """
    turns: dict[str, int] = {}
    ranked = []
    for example in examples:
        turns[example.domain] = turns.get(example.domain, 0) + 1
        ranked.append((turns[example.domain], example))
    ranked.sort(key=lambda pair: pair[0])
    remaining = [example for _, example in ranked if example.clips]
    while remaining:
        clips = [out / clip.path for example in remaining for clip in example.clips]
        rate = sum(path.stat().st_size / audio_info(path).seconds for path in clips)
        seconds = (budget / _BASE64 - _PICTURE * len(clips)) / rate
        if seconds >= SHORTEST or len(remaining) == 1:
            chosen = [example for example in examples if example in remaining]
            return FittingExamples(chosen, min(CLIP_SECONDS, max(0.5, seconds)))
        remaining.pop()
    return FittingExamples([], CLIP_SECONDS)


def players(out: Path, examples: Sequence[ExampleClips]) -> str:
    """A section per example, with a card per clip; all of an example on one scale of loudness."""
    shown = fit_to_budget(out, examples)
    parts = [_example(out, example, shown.seconds) for example in shown.examples]
    left = len(examples) - len(shown.examples)
    if left:
        parts.append(
            tag("p", f"{left} more in the folder examples: they would make this page too large.")
        )
    return join_lines(parts) or tag("p", "No recording was free of flags and failures.")


def _example(out: Path, example: ExampleClips, seconds: float) -> str:
    cards, loudest = [], None
    for clip in example.clips:
        audio, rate = load_audio(out / clip.path)
        audio = audio[:, : round(seconds * rate)]
        levels = mel_levels(audio, rate)
        loudest = float(levels.max()) if loudest is None else loudest  # the original comes first
        sound = io.BytesIO()
        sound.name = "clip.flac"
        save_audio(sound, audio, rate)
        drawn = framed_spectrogram(
            spectrogram_png(levels, loudest), _name(clip), rate, audio.shape[1] / rate
        )
        cards.append(_clip_card(clip, sound.getvalue(), drawn))
    spoken = ""
    if example.text:
        label = tag("strong", "Text") + " of the whole recording: "
        spoken = tag("p", label + escaped(f"\u201c{example.text}\u201d"), class_="said")
    title = tag("h3", escaped(f"{example.domain}: {example.key}"))
    return tag("section", title + spoken + tag("div", join_lines(cards), class_="cards"))


def _name(clip: Clip) -> str:
    return f"{clip.system}, {clip.setting}" if clip.kind != "original" else "original"


def _clip_card(clip: Clip, sound: bytes, drawn: str) -> str:
    name = _name(clip)
    title = tag("strong", escaped(clip.system))
    if clip.kind != "original":
        title += " " + tag("span", escaped(clip.setting))
    zoom = tag(
        "button", drawn, type="button", class_="zoom", aria_label=f"Enlarge: {name}", data_name=name
    )
    player = tag(
        "audio",
        controls=True,
        preload="metadata",
        src=data_url("audio/flac", sound),
        aria_label=name,
    )
    return tag(
        "figure",
        tag("figcaption", title) + zoom + player + _transcript(clip),
        class_=f"card {clip.kind}",
    )


def _transcript(clip: Clip) -> str:
    """What a recogniser made of the whole recording, where it was asked."""
    if clip.hypothesis is None:
        return ""
    rate = "" if clip.wer is None else tag("strong", f"WER {clip.wer:.0f}\u00a0%") + " "
    said = f"\u201c{clip.hypothesis}\u201d" if clip.hypothesis else "nothing recognised"
    return tag("p", rate + escaped(said), class_="said")
