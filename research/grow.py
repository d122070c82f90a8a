"""A speech model of another shape that goes on from a trained one: more layers, fewer codebooks.

    python -m research.grow --model tiny-tts --layers 8 --codebooks 12 --out runs/grown

New temporal layers stand between those that are there, evenly spread, and pass their input on
unchanged until they are trained (`catok train-lm --set init_from=runs/grown`). Codebooks are left
out from the finest: what remains computes what the model did with so many (`num_quantizers`).
"""

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from catok.io.hub import find_folder
from catok.lm import TokenLM
from catok.lm.asr.ctc import CTC


def grow(model: TokenLM, layers: int, codebooks: int) -> TokenLM:
    """A model with the weights of `model`, so many temporal `layers` and `codebooks`.

    Raises ValueError on fewer layers or more codebooks than it has.
    """
    old = model.config
    before = old.language_config.num_hidden_layers
    if layers < before:
        raise ValueError(f"the model has {before} temporal layers: {layers} would lose some")
    if not 1 <= codebooks <= old.n_vq:
        raise ValueError(f"the model has {old.n_vq} codebooks: keep 1 to {old.n_vq}")
    language = replace(old.language_config, num_hidden_layers=layers)
    grown = TokenLM(replace(old, n_vq=codebooks, language_config=language))
    new = grown.state_dict()
    places = [round(i * layers / before) for i in range(before)]
    for name, tensor in model.state_dict().items():
        head, mark, tail = name.partition("backbone.qwen3.layers.")
        if mark:
            number, _, rest = tail.partition(".")
            name = f"{head}{mark}{places[int(number)]}.{rest}"
        if name in new:
            new[name].copy_(tensor)
    for number in set(range(layers)) - set(places):
        for last in ("self_attn.o_proj", "mlp.down_proj"):
            new[f"backbone.qwen3.layers.{number}.{last}.weight"].zero_()
    return grown


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--model", default="tiny-tts", help="a name, folder or hub id")
    parser.add_argument("--layers", type=int, required=True, help="temporal layers in all")
    parser.add_argument("--codebooks", type=int, required=True, help="codebooks that are kept")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new model")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    torch.manual_seed(args.seed)
    folder = find_folder(args.model)
    grown = grow(TokenLM.from_pretrained(folder), args.layers, args.codebooks)
    grown.save_pretrained(args.out)
    if (folder / CTC).exists():
        shutil.copy(folder / CTC, args.out / CTC)
    print(f"{args.out}: {sum(p.numel() for p in grown.parameters()):,} parameters")


if __name__ == "__main__":
    main()
