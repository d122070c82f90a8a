"""`catok export`: a tokenizer or a speech model as ONNX graphs."""

from typing import TYPE_CHECKING, Annotated, Literal

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
if TYPE_CHECKING:
    from torch import Tensor

    from catok.export.linear import Precision

SNR = {"int8": 40.0, "int4": 30.0}  # dB to keep where layers are chosen by measuring
CALIBRATION_SECONDS = 10.0  # in all

Half = Literal["encoder", "decoder"]


@command
def run(
    model: Annotated[
        Positional[str],
        arg(
            metavar="MODEL",
            help='"tiny", "tiny-tts", "tiny-asr", a model folder, or a hub id such as owner/name.',
        ),
    ],
    out: _Folder,
    dtype: Annotated[
        Literal["float32", "float16", "int8", "int4"],
        arg(
            help="Of the weights; the quantizer stays float32. int8 and int4 compute in 8-bit "
            "integers; layers that bear it less have more bits."
        ),
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
    audio: Annotated[
        tuple[str, ...],
        arg(
            metavar="FILE...",
            help="With int8 and int4: recordings to measure on which layers need more bits.",
            help_behavior_hint="(default: a fixed rule)",
        ),
    ] = (),
    snr: Annotated[
        float | None,
        arg(
            metavar="DB",
            help="With --audio: the signal-to-noise ratio to keep in each half of the model.",
            help_behavior_hint="(default: 40 with int8, 30 with int4)",
        ),
    ] = None,
    tokenizer: Annotated[
        str | None,
        arg(
            metavar="M",
            help="Audio tokenizer of a speech model that does not name its own.",
            help_behavior_hint="(default: the model's own)",
        ),
    ] = None,
    overwrite: shared.Overwrite = False,
    skip_existing: shared.SkipExisting = False,
) -> int:
    """Write a tokenizer or a speech model as ONNX graphs for onnxruntime, on any machine.

    The folder is a model to `catok encode`, `decode` and `roundtrip`, or to `catok tts` or `asr`.
    What it holds is in docs/onnx.md.
    """
    from pathlib import Path

    from catok.cli.errors import UsageError
    from catok.cli.files import Existing
    from catok.cli.terminal import print_note
    from catok.extras import require

    shared.check_number("--snr", snr, most=200.0)
    for path in audio:
        shared.check_exists(path)
    if (audio and dtype not in SNR) or (snr is not None and not audio):
        raise UsageError("--audio is for --dtype int8 and int4, --snr for --audio")
    require("export")
    if Existing(overwrite, skip_existing).keeps(Path(out) / "onnx.json", named=True):
        print_note("catok: nothing to do, the output exists already")
        return 0

    from catok.io.hub import find_folder
    from catok.io.kinds import SPEECH_KINDS, folder_kind

    if folder_kind(find_folder(model)) in SPEECH_KINDS:
        if part != "all" or graphs or audio:
            raise UsageError("--part, --graphs and --audio are for audio tokenizers alone")
        return _export_speech(model, out, dtype, tokenizer)
    if tokenizer is not None:
        raise UsageError(f"--tokenizer is for speech models, {model} is an audio tokenizer")

    from catok.export import Plan, choose, export_parts, measure, read_description
    from catok.tokenizer.checkpoint import load_config
    from catok.tokenizer.tokenizer import CausalAudioTokenizer

    if audio:
        tok = CausalAudioTokenizer.from_pretrained(model)
        groups = measure(tok, _calibration(audio, tok.sample_rate, tok.channels), dtype)
        plan = choose(groups, dtype, SNR[dtype] if snr is None else snr, graphs or None)
        del tok
    else:
        plan = Plan.default(load_config(find_folder(model)), dtype, graphs or None)
    halves: tuple[Half, ...] = ("encoder", "decoder") if part == "all" else (part,)
    wanted: list[Half] = [half for half in halves if plan.of_half(half)]
    export_parts(
        (CausalAudioTokenizer.from_pretrained(model, part=half) for half in wanted), out, plan
    )
    written = read_description(out)
    size = sum(graph.size for graph in written.graphs.values()) + sum(written.weights.values())
    layers = ", ".join(
        f"{count} linear layers in {kind}" for kind, count in written.precisions.items()
    )
    names = ", ".join(written.graphs)
    print_note(f"catok: wrote {names} of {written.model_id}: {layers}, {size / 1e6:.1f} MB")
    return 0


def _export_speech(model: str, out: str, dtype: "Precision", tokenizer: str | None) -> int:
    from pathlib import Path

    from catok.cli.terminal import print_note
    from catok.export import export_speech_model
    from catok.io.hub import find_folder
    from catok.lm.speech_config import SpeechConfig
    from catok.lm.speech_model import load_speech_model

    config = SpeechConfig.load(find_folder(model))
    task = "asr" if config is not None and "asr" in config.tasks else "tts"  # asr: with its head
    export_speech_model(load_speech_model(model, task=task, tokenizer=tokenizer), out, dtype)
    size = sum(path.stat().st_size for path in Path(out).rglob("*") if path.is_file())
    print_note(f"catok: wrote {model} and its audio tokenizer in {dtype}, {size / 1e6:.1f} MB")
    return 0


def _calibration(paths: tuple[str, ...], sample_rate: int, channels: int) -> "Tensor":
    """The beginnings of recordings, one after the other: `[1, C, T]`."""
    import torch

    from catok.audio import load_audio

    parts = [load_audio(path, sample_rate=sample_rate, channels=channels)[0] for path in paths]
    most = int(CALIBRATION_SECONDS * sample_rate / len(parts))
    return torch.cat([part[:, :most] for part in parts], dim=1)[None]
