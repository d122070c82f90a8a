"""More blocks for the decoder's finest stage of a trained codec; codes stay what they are.

    python recipes/tiny/deepen.py --model tiny --blocks 2 --out runs/deeper

The new blocks stand behind those that are there and begin at random, small by their layer scale:
the codec decodes nearly as before until it is trained on (train.toml with
`freeze = ["encoder", "quantizer"]`). The semantic head, if the model has one, is not copied.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from catok import CausalAudioTokenizer
from catok.modules.transformer import TransformerConfig


def deepen(model: CausalAudioTokenizer, blocks: int) -> CausalAudioTokenizer:
    """A new codec with the weights of `model` and `blocks` more in the last stage of its decoder.

    Raises ValueError for less than one block, or a decoder without Transformer stages.
    """
    decoder = list(model.config.decoder)
    stages = [i for i, stage in enumerate(decoder) if isinstance(stage, TransformerConfig)]
    if blocks < 1 or not stages:
        raise ValueError("a decoder with Transformer stages can get one block more, or several")
    finest = decoder[stages[-1]]
    assert isinstance(finest, TransformerConfig)
    decoder[stages[-1]] = replace(finest, layers=finest.layers + blocks)
    deeper = CausalAudioTokenizer(replace(model.config, decoder=tuple(decoder)))
    deeper.load_state_dict(model.state_dict(), strict=False)
    return deeper


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--model", default="tiny", help="a name, folder or hub id")
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True, help="folder of the new model")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    torch.manual_seed(args.seed)
    deeper = deepen(CausalAudioTokenizer.from_pretrained(args.model).float(), args.blocks)
    deeper.save_pretrained(args.out)
    print(f"{args.out}: {sum(p.numel() for p in deeper.parameters()):,} parameters")


if __name__ == "__main__":
    main()
