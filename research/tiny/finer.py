"""One more stage at the end of a codec's decoder, at twice its finest frame rate.

    python -m research.tiny.finer --model tiny --out runs/finer

It begins as the identity but for its block, which is small by its layer scale: the codec decodes
nearly as before until it is trained on, and codes stay what they are. What came of it:
research/results/tiny-run.md.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from catok import CausalAudioTokenizer
from catok.modules.patch import PatchConfig
from catok.modules.transformer import TransformerConfig, TransformerStage

LAYER_SCALE = 0.003  # of samples, whose root mean square is a tenth


@torch.no_grad()
def add_stage(model: CausalAudioTokenizer, width: int, features: int) -> CausalAudioTokenizer:
    """A codec with the weights of `model` and one more stage of one block, `width` channels wide.

    It sees half a frame of samples and so many `features` of the stage before. Raises ValueError
    unless the decoder ends with a Transformer stage and a patch of even size, and where the two do
    not fit into the width.
    """
    *before, last, patch = model.config.decoder
    if not (isinstance(last, TransformerConfig) and isinstance(patch, PatchConfig)):
        raise ValueError("the decoder has to end with a Transformer stage and a patch")
    half = patch.size // 2
    if patch.size % 2 or last.output_dim != patch.size:
        raise ValueError(f"the last patch must have an even size and one channel, got {patch.size}")
    inside = half + features
    if inside >= width or last.width == 2 * inside:
        raise ValueError(f"{inside} channels need a width above that, got {width}; or change them")
    finer = replace(
        last,
        input_dim=inside,
        output_dim=half,
        width=width,
        layers=1,
        heads=width // 64,
        feedforward=4 * width,
        layer_scale=LAYER_SCALE,
    )
    wider = replace(last, output_dim=2 * inside)
    decoder = (*before, wider, PatchConfig(2), finer, PatchConfig(half))
    grown = CausalAudioTokenizer(replace(model.config, decoder=decoder))
    state, ours = model.state_dict(), grown.state_dict()
    known = {name: w for name, w in state.items() if name in ours and w.shape == ours[name].shape}
    grown.load_state_dict(known, strict=False)
    *_, old = (m for m in model.decoder.modules() if isinstance(m, TransformerStage))
    *_, coarse, fine = (m for m in grown.decoder.modules() if isinstance(m, TransformerStage))
    samples = old.output_proj.weight.unflatten(0, (2, half)).transpose(0, 1).flatten(0, 1)
    coarse.output_proj.weight[: 2 * half] = samples
    torch.nn.init.normal_(coarse.output_proj.weight[2 * half :], std=0.02)
    torch.nn.init.eye_(fine.input_proj.weight)
    torch.nn.init.eye_(fine.output_proj.weight)
    return grown


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--model", default="tiny", help="a name, folder or hub id")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new model")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--features", type=int, default=4)
    args = parser.parse_args(arguments)
    model = CausalAudioTokenizer.from_pretrained(args.model).float()
    grown = add_stage(model, args.width, args.features)
    grown.save_pretrained(args.out)
    print(f"{args.out}: {sum(p.numel() for p in grown.parameters()):,} parameters")


if __name__ == "__main__":
    main()
