"""More blocks for the decoder of a trained codec; codes stay what they are.

    python research/tiny/deepen.py --model tiny --blocks 0 1 1 0 --out runs/deeper

The numbers are of blocks for each Transformer stage of the decoder, the coarsest first. New blocks
stand behind those that are there and begin at random, small by their layer scale: the codec decodes
nearly as before until it is trained on (joint.toml). The semantic head, if the model has one, is
not copied.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from catok import CausalAudioTokenizer
from catok.modules.transformer import TransformerConfig


def deepen(model: CausalAudioTokenizer, blocks: Sequence[int]) -> CausalAudioTokenizer:
    """A codec with the weights of `model` and so many `blocks` more in each stage of its decoder.

    Raises ValueError unless there is one number of at least 0 per stage, and a block among them.
    """
    decoder = list(model.config.decoder)
    stages = [i for i, stage in enumerate(decoder) if isinstance(stage, TransformerConfig)]
    if len(blocks) != len(stages) or min(blocks) < 0 or not any(blocks):
        raise ValueError(
            f"the decoder has {len(stages)} Transformer stages: give as many numbers of blocks, "
            f"not below 0 and not all 0, got {list(blocks)}"
        )
    for index, more in zip(stages, blocks, strict=True):
        stage = decoder[index]
        assert isinstance(stage, TransformerConfig)
        decoder[index] = replace(stage, layers=stage.layers + more)
    deeper = CausalAudioTokenizer(replace(model.config, decoder=tuple(decoder)))
    deeper.load_state_dict(model.state_dict(), strict=False)
    return deeper


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--model", default="tiny", help="a name, folder or hub id")
    parser.add_argument("--blocks", type=int, nargs="+", required=True, help="per stage")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new model")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    torch.manual_seed(args.seed)
    deeper = deepen(CausalAudioTokenizer.from_pretrained(args.model).float(), args.blocks)
    deeper.save_pretrained(args.out)
    print(f"{args.out}: {sum(p.numel() for p in deeper.parameters()):,} parameters")


if __name__ == "__main__":
    main()
