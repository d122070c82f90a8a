"""How well a codec's discriminators tell its output from unseen speech.

    python -m research.tiny.judge --model tiny --data data/tiny/heldout.jsonl --threads 1

Their own loss by number of codebooks, on the middle of each recording, as long as what they learned
from: 0.5 where they cannot tell at all, 0 where they are always sure and right.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import torch
from research.study import DEPTHS, listed, markdown

from catok import CausalAudioTokenizer, load_audio
from catok.io.hub import find_folder
from catok.tokenizer.checkpoint import DISCRIMINATORS
from catok.training import Discriminators
from catok.training.codec.losses.adversarial import pair_loss


@torch.no_grad()
def judge(
    tok: CausalAudioTokenizer,
    discriminators: Discriminators,
    files: Iterable[Path],
    *,
    seconds: float,
    depths: Iterable[int] = DEPTHS,
) -> dict[int, float]:
    """The mean loss over `seconds` from the middle of each file, by number of codebooks."""
    losses: dict[int, list[float]] = {depth: [] for depth in depths}
    for file in files:
        audio, _ = load_audio(file, sample_rate=tok.sample_rate, channels=tok.channels)
        codes = tok.encode(audio[None]).codes
        samples = min(audio.shape[1], round(seconds * tok.sample_rate))
        first = (audio.shape[1] - samples) // 2
        for depth, found in losses.items():
            pair = torch.cat([audio[None], tok.decode(codes[:, :depth])[..., : audio.shape[1]]])
            found.append(float(pair_loss(discriminators(pair[..., first : first + samples]))))
    return {depth: sum(found) / len(found) for depth, found in losses.items()}


def main(arguments: list[str] | None = None) -> None:
    """Judge every manifest, print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny", help="with discriminators/ (%(default)s)")
    parser.add_argument("--data", nargs="+", required=True, help="manifests of unseen speech")
    parser.add_argument("--count", type=int, default=40, help="recordings of each (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.36, help="of each (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (%(default)s)")
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    folder = find_folder(args.model, companions=True)
    tok = CausalAudioTokenizer.from_pretrained(folder)
    discriminators = Discriminators.from_pretrained(folder / DISCRIMINATORS)
    rows: list[list[str]] = [["loss", *(f"{depth} codebooks" for depth in DEPTHS)]]
    for manifest in args.data:
        chosen = [r for r in listed(manifest) if (r.seconds or 0.0) >= 1.0][: args.count]
        found = judge(tok, discriminators, [r.path for r in chosen], seconds=args.seconds)
        cells = [f"{loss:.3f}" for loss in found.values()]
        rows.append([f"{Path(manifest).stem}, {len(chosen)} recordings", *cells])
    print(markdown(rows))


if __name__ == "__main__":
    main()
