"""`catok export`: a tokenizer as ONNX graphs."""

from typing import Annotated, Literal

from tyro.conf import Positional, arg

from catok.cli import arguments as shared
from catok.cli.common import command

_Folder = Annotated[
    str,
    arg(
        aliases=["-o"],
        metavar="FOLDER",
        help="Where the graphs and onnx.json go; it is made.",
    ),
]
Half = Literal["encoder", "decoder"]


@command
def run(
    model: Annotated[
        Positional[str],
        arg(metavar="MODEL", help='"tiny", a model folder, or a hub id such as owner/name.'),
    ],
    out: _Folder,
    dtype: Annotated[
        Literal["float32", "float16"],
        arg(help="Of the weights; the quantizer stays float32."),
    ] = "float32",
    part: Annotated[
        Literal["all", "encoder", "decoder"], arg(help="Both halves of the model, or one.")
    ] = "all",
    graphs: Annotated[
        tuple[str, ...],
        arg(
            metavar="GRAPH...",
            help="Some graphs only: encode, encode_step, decode, decode_step, embed.",
            help_behavior_hint="(default: all)",
        ),
    ] = (),
    overwrite: shared.Overwrite = False,
    skip_existing: shared.SkipExisting = False,
) -> int:
    """Write a tokenizer as ONNX graphs for onnxruntime, on any machine.

    The folder is a model to `catok encode`, `decode` and `roundtrip`. What it holds is in
    docs/onnx.md.
    """
    from pathlib import Path

    from catok.cli.files import Existing
    from catok.cli.terminal import print_note
    from catok.extras import require

    require("export")
    if Existing(overwrite, skip_existing).keeps(Path(out) / "onnx.json", named=True):
        print_note("catok: nothing to do, the output exists already")
        return 0

    from catok.export import Plan, export_parts, read_description
    from catok.tokenizer.tokenizer import CausalAudioTokenizer

    plan = Plan(dtype=dtype, graphs=graphs or None)
    halves: tuple[Half, ...] = ("encoder", "decoder") if part == "all" else (part,)
    wanted: list[Half] = [half for half in halves if plan.of_half(half)]
    export_parts(
        (CausalAudioTokenizer.from_pretrained(model, part=half) for half in wanted), out, plan
    )
    written = read_description(out)
    size = sum(graph.size for graph in written.graphs.values()) + sum(written.weights.values())
    names = ", ".join(written.graphs)
    print_note(f"catok: wrote {names} of {written.model_id} in {dtype}, {size / 1e6:.1f} MB")
    return 0
