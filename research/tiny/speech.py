"""Synthetic English of many voices with exact text: what `tiny` trains on besides recordings.

    python -m research.tiny.speech --out data/voices --hours 2 [--joe-hours 1] [--unheard 20]

A speaker is a mixture of two or three of Kokoro's styles and a pitch (the speech is resampled, and
its duration scaled back before), both drawn from the speaker's number. `research/english` lists
the packages to install. The styles in `UNHEARD` are in no mixture: they judge, and `--unheard`
lets them say so many sentences of the test split. Writes OUT/{train,unheard}.jsonl after every
speaker; a stopped run goes on.
"""

import argparse
import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from research.english.prepare import gather, synthetic_rows
from research.english.sentences import choose, split_of
from research.english.texts import WEIGHTS
from research.english.tiny import write_lines
from research.english.voices import KOKORO, Kokoro, build_voice

UNHEARD = ("nezumi", "tebukuro")
STYLES = [style for name, style in KOKORO.items() if name not in UNHEARD]
PITCH = (0.86, 1.16)
SPEAKERS = 40


class Speaker(Kokoro):
    """Speaker `number`: a mixture of styles, then all frequencies times `pitch`."""

    def __init__(self, number: int) -> None:
        draw = random.Random(f"speaker {number}")
        first, *others = draw.sample(STYLES, draw.choice((2, 2, 3)))
        super().__init__(first)
        styles = {style: Kokoro(style).style for style in (first, *others)}
        weights = np.array([draw.uniform(0.2, 1.0) for _ in styles])
        weights /= weights.sum()
        self.style = sum(w * style for w, style in zip(weights, styles.values(), strict=True))
        self.pitch = draw.uniform(*PITCH)
        self.band_edge = min(12_000, int(12_000 * self.pitch))

    def say(self, text: str, scale: float) -> np.ndarray:
        """See `research.english.voices.Voice`."""
        spoken = super().say(text, scale * self.pitch)
        return soxr.resample(spoken, self.rate * self.pitch, self.rate, quality="VHQ")


def texts_for(found: dict[str, list[str]], name: str, split: str) -> Iterator[str]:
    """The sentences of one split in the voice's own order."""
    return (text for _, text in choose(found, WEIGHTS, name) if split_of(text) == split)


def main(arguments: list[str] | None = None) -> None:
    """Synthesize what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of audio and manifests")
    parser.add_argument("--hours", type=float, default=1.0, help="by the mixtures (%(default)s)")
    parser.add_argument("--joe-hours", type=float, default=0.0, help="by Joe (%(default)s)")
    parser.add_argument("--unheard", type=int, default=0, help="sentences by each held-out voice")
    args = parser.parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    found = gather(args.out, args.out / "downloads")["sentences"]
    rows: list[dict[str, Any]] = []
    for name in UNHEARD if args.unheard else ():
        said = itertools.islice(texts_for(found, name, "test"), args.unheard)
        rows += synthetic_rows(name, build_voice(name), said, float("inf"), args.out)
        write_lines(args.out / "unheard.jsonl", rows)
    rows = []
    if args.joe_hours:
        said = texts_for(found, "joe", "train")
        rows += synthetic_rows("joe", build_voice("joe"), said, args.joe_hours, args.out)
        write_lines(args.out / "train.jsonl", rows)
    for number in range(SPEAKERS) if args.hours else ():
        name = f"mixture-{number}"
        said = texts_for(found, name, "train")
        rows += synthetic_rows(name, Speaker(number), said, args.hours / SPEAKERS, args.out)
        write_lines(args.out / "train.jsonl", rows)


if __name__ == "__main__":
    main()
