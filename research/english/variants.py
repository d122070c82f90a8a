"""The same speech at other speeds, levels and frame offsets, as codes: more of it for recognition.

    python -m research.english.variants --data data/english/train.jsonl --out data/variants \
        --tokenizer tiny --quantizers 16 [--once joe]

Every recording up to 10 s is said once more slowly and once more quickly (voices in `--once` only
one of the two, by turns): by 3 to 14 per cent, pitch going along (resampling), with a gain of -8 to
4 dB, and begins up to one frame later, which gives other codes. Writes OUT/variants.jsonl and the
.cat files that it names; the manifest of all, originals too, is OUT/all.jsonl if `--codes` gives
the manifest of their codes. A run that was stopped begins anew.
"""

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from research.english.tiny import write_lines

from catok import CausalAudioTokenizer, load_audio

SLOW, QUICK, GAIN_DB = (0.86, 0.97), (1.03, 1.14), (-8.0, 4.0)
LONGEST, BATCH, PER_FOLDER = 10.0, 12, 1000

Row = dict[str, Any]


@dataclass(frozen=True)
class Variant:
    """A way to say a manifest's `row`: `speed` 1 is its own, `gain` linear, `delay` in samples."""

    row: Row
    speed: float
    gain: float
    delay: int


def draw(rows: Sequence[Row], once: Sequence[str], frame: int, seed: int) -> list[Variant]:
    """The variants of all rows, short recordings first, so that batches are of like length."""
    rng, found = random.Random(seed), []
    for index, row in enumerate(rows):
        if row["duration"] > LONGEST:
            continue
        ranges = [SLOW, QUICK]
        if row.get("speaker") in once:
            ranges = [ranges[index % 2]]
        for speeds in ranges:
            gain = 10 ** (rng.uniform(*GAIN_DB) / 20)
            found.append(Variant(row, rng.uniform(*speeds), gain, rng.randrange(frame)))
    return sorted(found, key=lambda variant: variant.row["duration"])


def changed(audio: np.ndarray, variant: Variant, rate: int) -> np.ndarray:
    """Mono samples `[T]` as the variant says them, float32 in [-1, 1]."""
    said = soxr.resample(audio, rate * variant.speed, rate) * variant.gain
    return np.pad(said, (variant.delay, 0)).clip(-1, 1).astype(np.float32)


@torch.no_grad()
def encoded(
    tok: CausalAudioTokenizer, variants: Sequence[Variant], base: Path
) -> Iterator[tuple[Variant, torch.Tensor, int]]:
    """Each variant with its codes `[K, F]` and its length in samples."""
    for start in range(0, len(variants), BATCH):
        batch, sounds = variants[start : start + BATCH], []
        for variant in batch:
            path = base / variant.row["audio"]
            audio, _ = load_audio(path, sample_rate=tok.sample_rate, channels=1)
            sounds.append(torch.from_numpy(changed(audio[0].numpy(), variant, tok.sample_rate)))
        lengths = torch.tensor([len(sound) for sound in sounds])
        padded = torch.nn.utils.rnn.pad_sequence(sounds, batch_first=True)[:, None]
        codes = tok.encode(padded, lengths).codes
        for variant, found, length in zip(batch, codes, lengths.tolist(), strict=True):
            yield variant, found[:, : -(-length // tok.frame_size)], length


def main(arguments: list[str] | None = None) -> None:
    """Encode everything, then write the manifests."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="manifest of speech with text")
    parser.add_argument("--out", type=Path, required=True, help="folder of the codes")
    parser.add_argument("--codes", type=Path, help="tokens.jsonl of the originals, to be added")
    parser.add_argument("--tokenizer", default="tiny", help="whose codes (%(default)s)")
    parser.add_argument("--quantizers", type=int, default=16, help="to keep (%(default)s)")
    parser.add_argument("--once", nargs="*", default=[], help="voices with enough speech already")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (%(default)s)")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    tok = CausalAudioTokenizer.from_pretrained(args.tokenizer, part="encoder")
    rows = [json.loads(line) for line in args.data.read_text("utf-8").splitlines()]
    variants = draw(rows, args.once, tok.frame_size, args.seed)
    lines: list[Row] = []
    for number, (variant, codes, length) in enumerate(encoded(tok, variants, args.data.parent)):
        name = f"{number // PER_FOLDER}/{number}.cat"
        (args.out / name).parent.mkdir(parents=True, exist_ok=True)
        kept = tok.encoded(codes[None, : args.quantizers], torch.tensor([length]))
        kept.save(args.out / name)
        facts = {key: variant.row.get(key) for key in ("text", "language", "speaker")}
        frames = {"codes": name, "frames": codes.shape[1], "weights": tok.weight_hash}
        lines.append({**frames, "duration": length / tok.sample_rate, **facts})
        if number % PER_FOLDER == 0:
            print(f"{number} of {len(variants)}", flush=True)
    write_lines(args.out / "variants.jsonl", lines)
    if args.codes:
        originals = [json.loads(line) for line in args.codes.read_text("utf-8").splitlines()]
        for row in originals:
            row["codes"] = str((args.codes.parent / row["codes"]).resolve())
            row.pop("audio", None)
        write_lines(args.out / "all.jsonl", originals + lines)


if __name__ == "__main__":
    main()
