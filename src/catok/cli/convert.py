"""`catok convert`: a tokenizer's folder in another layout or dtype."""

from typing import Annotated, Literal

from tyro.conf import Positional, arg

from catok.cli import arguments as shared
from catok.cli.common import command


@command
def run(
    model: Annotated[
        Positional[str],
        arg(metavar="MODEL", help='"tiny", a model folder of any layout, or a hub id.'),
    ],
    out: Annotated[str, arg(aliases=["-o"], metavar="FOLDER", help="Where it goes; it is made.")],
    layout: Annotated[
        Literal["released", "transformers"],
        arg(
            help="Names and shapes of tensors and configuration: as the models are released, or as "
            "the class proposed for transformers has them (24 kHz models only)."
        ),
    ] = "released",
    dtype: Annotated[
        shared.DtypeName, arg(help="Of the stored weights; the quantizer stays float32.")
    ] = "float32",
    overwrite: shared.Overwrite = False,
    skip_existing: shared.SkipExisting = False,
) -> int:
    """Write a tokenizer's folder anew, in another layout or dtype.

    See docs/hugging-face.md for the layouts. Codes stay the same in float32.
    """
    from pathlib import Path

    from catok.cli.files import Existing
    from catok.cli.terminal import print_note

    if Existing(overwrite, skip_existing).keeps(Path(out) / "config.json", named=True):
        print_note("catok: nothing to do, the output exists already")
        return 0

    from catok.tokenizer.tokenizer import CausalAudioTokenizer

    tokenizer = CausalAudioTokenizer.from_pretrained(model)
    tokenizer.save_pretrained(out, dtype=dtype, layout=layout)
    print_note(f"catok: wrote {tokenizer.model_id} to {out}, layout {layout}, {dtype}")
    return 0
