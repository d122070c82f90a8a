"""A speech model that goes on with the codes of another version of its tokenizer.

    python -m research.recode --model tiny-tts --tokenizer runs/spectrum/model --out runs/recoded

For codecs whose latents are nearly the same while their codebooks have moved
(`research/tiny/anchor.py`): what a code adds to the latents says which of the old codes it
resembles. Per codebook, a row of a table or head is a linear map of the code's vector, as the model
learned it, and what is left over of the most similar old codes' rows. `catok train-lm --set
init_from=runs/recoded` then trains on.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from catok import CausalAudioTokenizer
from catok.io.hub import find_folder

RIDGE = 1e-3  # of the vectors' mean power
TABLES = ("model.embedding_list.{}.weight", "lm_heads.{}.weight")


def similarity(new: Tensor, old: Tensor) -> Tensor:
    """How much each old code `[N, D]` stands for each new one `[M, D]`: rows `[M, N]` of sum 1.

    A Gaussian of their distance; its width is that between neighbors among the old codes.
    """
    among = torch.cdist(old, old).fill_diagonal_(float("inf")).amin(1).square().median()
    return torch.softmax(-torch.cdist(new, old).square() / among, dim=1)


def recoded(rows: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """Rows `[N, width]` of codes with vectors `old` `[N, D]`, for codes with vectors `new`."""
    center = old.mean(0)
    old, new = old - center, new - center
    ridge = RIDGE * old.square().sum() / old.shape[1] * torch.eye(old.shape[1])
    mean = rows.mean(0)
    linear = torch.linalg.solve(old.t() @ old + ridge, old.t() @ (rows - mean))
    left = rows - mean - old @ linear
    return mean + new @ linear + similarity(new, old) @ left


@torch.no_grad()
def recode(
    tensors: dict[str, Tensor], new: CausalAudioTokenizer, old: CausalAudioTokenizer
) -> dict[str, Tensor]:
    """The tensors of a speech model for the codes of `new`. Raises ValueError on other sizes."""
    if (new.num_quantizers, new.codebook_size) != (old.num_quantizers, old.codebook_size):
        raise ValueError("the two tokenizers have not as many codes")
    vectors = [tok.quantizer.code_vectors(tok.num_quantizers).float() for tok in (new, old)]
    changed = dict(tensors)
    for book in range(new.num_quantizers):
        for name in (table.format(book + 1) for table in TABLES):  # table 0 is of text
            if name in tensors:
                rows, count = tensors[name].clone(), new.codebook_size
                own = recoded(rows[:count].float(), vectors[0][book], vectors[1][book])
                rows[:count] = own.to(rows)
                changed[name] = rows
    return changed


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--model", default="tiny-tts", help="a name, folder or hub id")
    parser.add_argument("--tokenizer", required=True, help="the version to speak from now on")
    parser.add_argument("--before", default="tiny", help="the version it speaks (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new model")
    args = parser.parse_args(arguments)
    new, old = (CausalAudioTokenizer.from_pretrained(n) for n in (args.tokenizer, args.before))
    source = find_folder(args.model, companions=True)
    shutil.copytree(source, args.out, dirs_exist_ok=True)
    tensors = recode(load_file(args.out / "model.safetensors"), new, old)
    save_file(tensors, args.out / "model.safetensors", metadata={"format": "pt"})
    speech = json.loads((args.out / "speech.json").read_text("utf-8"))
    speech |= {"tokenizer": args.tokenizer, "weight_hash": new.weight_hash}
    (args.out / "speech.json").write_text(json.dumps(speech, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
