"""A made-up language that is learnt in seconds: every letter is a pitch, every voice a timbre.

    python -m recipes.toy.speech --out runs/toy

A letter, or a space, lasts 0.08 s, which is one frame of the toy tokenizer; quiet of one letter's
length comes before and after. Level and exact pitch are random, so that no two recordings of a text
are alike.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from catok import save_audio

SAMPLE_RATE = 8000
PITCHES = {letter: 220.0 * 1.22**place for place, letter in enumerate("abcdefghij")}  # Hz
VOICES = {"flute": (1.0, 0.1), "reed": (0.6, 0.0, 0.4, 0.0, 0.3)}  # amplitudes of the harmonics
SAMPLES, FADE = 640, 40  # of a letter, and of its rise and fall


def random_text(rng: np.random.Generator) -> str:
    """Two words of three letters, none of them twice: 151 200 texts, all equally long."""
    letters = "".join(rng.permutation(list(PITCHES))[:6])
    return f"{letters[:3]} {letters[3:]}"


def speak(text: str, voice: str, rng: np.random.Generator) -> np.ndarray:
    """The text's samples `[T]` float32, with a little noise under everything."""
    level = 0.4 * 10 ** (rng.uniform(-6, 0) / 20)
    tones = [level * _tone(letter, voice, rng) for letter in f" {text} "]
    sound = np.concatenate(tones)
    return (sound + 1e-3 * rng.standard_normal(len(sound))).astype(np.float32)


def _tone(letter: str, voice: str, rng: np.random.Generator) -> np.ndarray:
    if letter == " ":
        return np.zeros(SAMPLES)
    place = np.arange(SAMPLES)
    phase = 2 * np.pi * PITCHES[letter] * rng.uniform(0.995, 1.005) * place / SAMPLE_RATE
    harmonics = enumerate(VOICES[voice], start=1)
    sound = sum(amplitude * np.sin(number * phase) for number, amplitude in harmonics)
    return sound * np.clip(np.minimum(place, SAMPLES - place) / FADE, 0, 1)


def write_corpus(folder: Path, count: int, seed: int) -> list[dict]:
    """`count` recordings of random texts, the voices in turn, and their manifest, `all.jsonl`.

    Returns the manifest's lines: `id`, `audio`, `duration`, `text`, `speaker`.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    lines = []
    for number in range(count):
        voice, text = list(VOICES)[number % len(VOICES)], random_text(rng)
        name, sound = f"u{number:03d}", speak(text, voice, rng)
        save_audio(folder / f"{name}.wav", torch.from_numpy(sound)[None], SAMPLE_RATE)
        seconds = len(sound) / SAMPLE_RATE
        line = {"id": name, "audio": f"{name}.wav", "duration": seconds, "text": text}
        lines.append(line | {"speaker": voice})
    (folder / "all.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return lines


def main(arguments: list[str] | None = None) -> None:
    """Recordings to learn from in OUT/train, unseen ones in OUT/valid."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the two corpora")
    parser.add_argument("--train", type=int, default=1000, help="recordings (%(default)s)")
    parser.add_argument("--valid", type=int, default=24, help="unseen recordings (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    write_corpus(args.out / "train", args.train, seed=args.seed)
    write_corpus(args.out / "valid", args.valid, seed=args.seed + 1000)


if __name__ == "__main__":
    main()
