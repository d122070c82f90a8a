"""What a probe is judged by: a fixed set of recordings that it never hears.

Italian prompts, English voices without a part in the training, telephone prompts of the public test
split, music and effects. PESQ, STOI, word errors of the speech; the mel distance of everything.
"""

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from catok import CausalAudioTokenizer, load_audio
from catok.evaluation import pesq, stoi
from catok.evaluation.edit_distance import count_edits
from catok.evaluation.text_units import normalize_text, split_words
from catok.training.codec.losses.mel import MelLoss

DEPTHS = (32, 8)
RATE = 24_000
LONGEST = 5.0  # seconds of each, but for English
CHOSEN = {  # source: how many
    "asterisk-core-sounds-it-g722": 6,
    "pocketsphinx-testdata": 3,
    "synthetic-nezumi": 4,
    "synthetic-tebukuro": 4,
    "asterisk-core-sounds-en-g722": 4,
    "warzone2100-music": 4,
    "hydrogen-drumkits-effects": 4,
}


@dataclass(frozen=True)
class Clip:
    """A recording `[1, T]` at 24 kHz and what is known of it."""

    audio: Tensor
    domain: str
    band_edge: float
    text: str | None


def read_clips(manifest: Path, seed: int = 0) -> list[Clip]:
    """`CHOSEN` many of every corpus, by the seed, of 2 s or more. English ones keep their text."""
    rows = [json.loads(line) for line in manifest.read_text("utf-8").splitlines()]
    clips = []
    for corpus, count in CHOSEN.items():
        found = [r for r in rows if r["corpus"] == corpus and r["duration"] >= 2.0]
        for row in random.Random(seed).sample(found, min(count, len(found))):
            audio, _ = load_audio(manifest.parent / row["audio"], sample_rate=RATE, channels=1)
            text = row["text"] if row["language"] == "en" else None
            if text is None:  # words must be whole
                audio = audio[:, : int(LONGEST * RATE)]
            edge = float(row.get("band_edge") or math.inf)
            clips.append(Clip(audio, row["domain"], edge, text))
    return clips


@torch.no_grad()
def score(tok: CausalAudioTokenizer, clips: list[Clip], transcriber: Any = None) -> dict[str, Any]:
    """`figures` by number of codebooks."""
    coded = [tok.encode(clip.audio[None]).codes for clip in clips]
    result = {}
    for depth in DEPTHS:
        outputs = [
            tok.decode(codes, depth)[0, :, : clip.audio.shape[1]]
            for clip, codes in zip(clips, coded, strict=True)
        ]
        result[str(depth)] = figures(clips, outputs, transcriber)
    return result


def figures(clips: list[Clip], outputs: list[Tensor], transcriber: Any = None) -> dict[str, float]:
    """Means over the clips; `n`: how many PESQ could judge; with a transcriber `wer`, word errors
    in percent of all words.
    """
    mel, found = MelLoss(RATE), {}
    errors = said = 0
    for clip, out in zip(clips, outputs, strict=True):
        distance = float(mel(out[None], clip.audio[None], torch.tensor([clip.band_edge])))
        found.setdefault(f"mel_{clip.domain}", []).append(distance)
        if clip.domain != "speech":
            continue
        for name, figure in _speech_figures(clip.audio, out).items():
            try:
                found.setdefault(name, []).append(figure())
            except ValueError:
                continue  # PESQ found no speech
        if transcriber is not None and clip.text:
            heard = transcriber.transcribe(out[0].numpy(), RATE, "en")
            reference = split_words(normalize_text(clip.text, "en"))
            errors += count_edits(reference, split_words(normalize_text(heard, "en"))).total
            said += len(reference)
    means = {name: sum(values) / len(values) for name, values in found.items()}
    means = {name: round(mean, 4) for name, mean in means.items() if math.isfinite(mean)}
    means["n"] = len(found.get("pesq_wb", []))
    return means | ({"wer": round(100 * errors / said, 2)} if said else {})


def _speech_figures(audio: Tensor, out: Tensor) -> dict[str, Callable[[], float]]:
    noise = (out - audio).square().sum()
    return {
        "stoi": lambda: stoi(audio, out, RATE),
        "pesq_wb": lambda: pesq(audio, out, RATE),
        "pesq_nb": lambda: pesq(audio, out, RATE, "nb"),
        "snr": lambda: float(10 * torch.log10(audio.square().sum() / noise)),
    }
