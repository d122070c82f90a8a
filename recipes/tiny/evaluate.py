"""Quality of a model on held-out recordings: STOI and PESQ-WB per bitrate, use of every codebook.

    python recipes/tiny/evaluate.py --model tiny --manifest data/tiny/test.jsonl --out result.json

Takes `--count` recordings of at least 2 s, spread evenly over the manifest in the order of the
SHA-1 of their names (so that languages and voices mix), each scored alone and averaged. Codebook
perplexity is that of the codes of all the manifest's recordings, at most `--usage-minutes` of them.
"""

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path

import torch

from catok import CausalAudioTokenizer, load_audio
from catok.evaluation.metrics import pesq, stoi
from catok.training.codebooks.revival import perplexity
from catok.training.data import read_cuts

Recording = tuple[Path, float]  # file and seconds
BITRATES = {4: 0.5, 8: 1.0, 16: 2.0, 32: 4.0}  # codebooks -> kbit/s at 125 bit/s each


def listed(manifest: str, domain: str | None = None) -> list[Recording]:
    """The recordings of a manifest, of one domain if asked."""
    cuts = [c for c in read_cuts(manifest) if domain in (None, (c.custom or {}).get("domain"))]
    return [(Path(cut.recording.sources[0].source), cut.duration) for cut in cuts]


def chosen(recordings: list[Recording], count: int) -> list[Recording]:
    """`count` recordings of 2 s or more, in the order of their names' SHA-1."""
    long = [recording for recording in recordings if recording[1] >= 2.0]
    return sorted(long, key=lambda r: hashlib.sha1(r[0].name.encode()).hexdigest())[:count]


def score(tok: CausalAudioTokenizer, recordings: list[Recording]) -> list[dict]:
    """One row per recording and bitrate."""
    rows = []
    for path, _ in recordings:
        audio, rate = load_audio(path, sample_rate=tok.sample_rate, channels=tok.channels)
        encoded = tok.encode(audio[None])
        for depth, kbps in BITRATES.items():
            decoded = tok.decode(encoded, depth)[0]
            rows.append(
                {
                    "file": path.name,
                    "kbps": kbps,
                    "stoi": stoi(audio, decoded, rate),
                    "pesq_wb": pesq(audio, decoded, rate, "wb"),
                }
            )
    return rows


def usage(tok: CausalAudioTokenizer, recordings: list[Recording], minutes: float) -> dict:
    """Perplexity and number of codes in use per codebook over up to `minutes` of audio."""
    counts = torch.zeros(tok.num_quantizers, tok.codebook_size)
    heard = 0.0
    for path, seconds in recordings:
        if heard > 60 * minutes:
            break
        audio, _ = load_audio(path, sample_rate=tok.sample_rate, channels=tok.channels)
        for book, codes in enumerate(tok.encode(audio[None]).codes[0]):
            counts[book] += codes.bincount(minlength=tok.codebook_size)
        heard += seconds
    return {
        "minutes": round(heard / 60, 2),
        "frames": int(counts[0].sum()),
        "perplexity": [round(p, 1) for p in perplexity(counts).tolist()],
        "used": (counts > 0).sum(1).tolist(),
    }


def main() -> None:
    """Score, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--manifest", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--usage-minutes", type=float, default=15.0)
    args = parser.parse_args()

    tok = CausalAudioTokenizer.from_pretrained(args.model)
    started = time.time()
    rows = score(tok, chosen(listed(args.manifest, "speech"), args.count))
    table = []
    print("| kbit/s | STOI | PESQ-WB |\n|---|---|---|")
    for kbps in BITRATES.values():
        here = [row for row in rows if row["kbps"] == kbps]
        means = {name: sum(row[name] for row in here) / len(here) for name in ("stoi", "pesq_wb")}
        table.append({"kbps": kbps, **means})
        print(f"| {kbps:g} | {means['stoi']:.3f} | {means['pesq_wb']:.2f} |")
    use = usage(tok, listed(args.manifest), args.usage_minutes)
    print(f"perplexity per codebook: {use['perplexity']}", file=sys.stderr)
    result = {
        "command": " ".join(["python", *sys.argv]),
        "weight_hash": tok.weight_hash,
        "mean": table,
        "codebooks": use,
        "seconds": round(time.time() - started, 1),
        "rows": rows,
    }
    Path(args.out).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
