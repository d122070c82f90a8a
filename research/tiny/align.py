"""Takes an encoder that was trained on back to the codes that it had before.

    python research/tiny/align.py --model runs/joint/model --like tiny \
        --data data/tiny/train.jsonl --out runs/aligned

Where encoder and decoder learn together under a quantizer that stands still (joint.toml), nothing
holds the latents in place: after 4000 steps hardly a first code of `tiny` was the same, while a
linear map from the new latents to the old ones explained 96 % of them. This script fits that map on
recordings and multiplies it into the encoder's last projection. The decoder's first projection gets
the way back, fitted from what the quantizer leaves of the mapped latents. Language models then
understand the codes again; the decoder has lost quality and is to be trained on (decoder.toml).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from research.study import listed
from torch import Tensor, nn

from catok import CausalAudioTokenizer, load_audio
from catok.modules.transformer import TransformerStage

RIDGE = 1e-4  # of the latents' variance


def latents(model: CausalAudioTokenizer, recordings: Sequence[Tensor]) -> Tensor:
    """What the encoder makes of audio `[C, T]` each: `[n, D]`, all whole frames of all."""
    found = []
    with torch.no_grad():
        for audio in recordings:
            whole = audio[None, :, : audio.shape[1] // model.frame_size * model.frame_size]
            if whole.shape[2]:
                found.append(model.encoder(model.interleave(whole))[0].t().float())
    return torch.cat(found)


def fit(source: Tensor, target: Tensor) -> Tensor:
    """The matrix `[D, D]` by which `source` `[n, D]` comes closest to `target` `[n, D]`."""
    scale = RIDGE * len(source) * source.var() * torch.eye(source.shape[1])
    return torch.linalg.solve(source.t() @ source + scale, source.t() @ target)


def explained(found: Tensor, target: Tensor) -> float:
    """The share of the variance of `target` that is in `found`."""
    return 1 - float((target - found).square().sum() / (target - target.mean(0)).square().sum())


@torch.no_grad()
def align(
    model: CausalAudioTokenizer, like: CausalAudioTokenizer, recordings: Sequence[Tensor]
) -> dict[str, float]:
    """Change `model` in place to the codes of `like`, by `recordings` `[C, T]` at their rate.

    Returns how much of the latents the two maps explain, forth and back. Raises ValueError unless
    both have one quantizer, and linear projections beside it.
    """
    if model.weight_hash != like.weight_hash:
        raise ValueError(
            f"quantizers differ ({model.weight_hash}, {like.weight_hash}): align only what was "
            'trained with freeze = ["quantizer"]'
        )
    last = _projection(model.encoder[-1], "output_proj")
    first = _projection(model.decoder[0], "input_proj")
    new, old = latents(model, recordings), latents(like, recordings)
    forth = fit(new, old)
    mapped = new @ forth
    kept = model.quantizer(mapped.t()[None], model.num_quantizers).latents[0].t()
    back = fit(kept, new)
    last.weight.copy_(forth.t() @ last.weight)
    first.weight.copy_(first.weight @ back.t())
    return {"forth": explained(mapped, old), "back": explained(kept @ back, new)}


def _projection(stage: nn.Module, name: str) -> nn.Linear:
    found = getattr(stage, name) if isinstance(stage, TransformerStage) else None
    if not isinstance(found, nn.Linear):
        raise ValueError(
            "a codec without linear projections beside its quantizer cannot be aligned"
        )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--model", required=True, help="a name, folder or hub id")
    parser.add_argument("--like", default="tiny", help="the model whose codes are wanted")
    parser.add_argument("--data", required=True, help="manifest of recordings that it knows")
    parser.add_argument("--count", type=int, default=220, help="recordings to fit by")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new model")
    args = parser.parse_args(arguments)
    model = CausalAudioTokenizer.from_pretrained(args.model).float()
    like = CausalAudioTokenizer.from_pretrained(args.like).float()
    recordings = [
        load_audio(each.path, sample_rate=model.sample_rate, channels=model.channels)[0]
        for each in listed(args.data)[: args.count]
    ]
    found = align(model, like, recordings)
    model.save_pretrained(args.out)
    print(f"{args.out}: {found['forth']:.1%} of the latents forth, {found['back']:.1%} back")


if __name__ == "__main__":
    main()
