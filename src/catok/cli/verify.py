"""`catok verify`: a port of the tokenizer against the specification."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from catok.cli import arguments as shared
from catok.cli.common import command
from catok.cli.errors import UsageError

if TYPE_CHECKING:
    from catok.conformance.kit import Variant

REPORTS = (".html", ".json")


@command
def run(
    target: Annotated[
        Positional[str | None],
        arg(
            metavar="TARGET",
            help="torch, hf, onnx, a class module:Class, a folder of models or graphs made of the "
            "kit's, hf:FOLDER, or a model: a folder, an embedded name, a hub id.",
            help_behavior_hint="",
        ),
    ] = None,
    command: Annotated[
        str | None,
        arg(
            metavar='"PORT {in} {out}"',
            help="A program instead of TARGET; see docs/verify.md for the files it reads and "
            "writes.",
            help_behavior_hint="",
        ),
    ] = None,
    model: Annotated[
        str | None,
        arg(
            metavar="M",
            help="Compare with this model instead of the kit: vectors are made of it first. TARGET "
            "is what was made of it.",
            help_behavior_hint="",
        ),
    ] = None,
    kit: Annotated[
        str | None,
        arg(
            metavar="DIR",
            help="The kit to use.",
            help_behavior_hint="(default: made in a temporary folder)",
        ),
    ] = None,
    make: Annotated[
        str | None,
        arg(metavar="DIR", help="Write the kit into this folder.", help_behavior_hint=""),
    ] = None,
    variants: Annotated[
        tuple[str, ...],
        arg(
            metavar="NAME...",
            help="Variants of the kit to look at: 24khz, nano, v2, tiny.",
            help_behavior_hint="(default: all)",
        ),
    ] = (),
    checks: Annotated[
        tuple[str, ...],
        arg(
            metavar="NAME...",
            help="Checks to run: whole, partial, batch, prefix, chunks, pauses, reset.",
            help_behavior_hint="(default: all)",
        ),
    ] = (),
    min_equal: Annotated[
        float, arg(metavar="X", help="The share of codes that must be equal.")
    ] = 1.0,
    min_snr: Annotated[
        float, arg(metavar="DB", help="The SNR that every frame of sound must have.")
    ] = 80.0,
    report: Annotated[
        tuple[str, ...],
        arg(
            metavar="FILE...",
            help="Also write the report to these files, .html or .json.",
            help_behavior_hint="",
        ),
    ] = (),
    device: shared.Device = "cpu",
    dtype: shared.Dtype = "float32",
) -> int:
    """Check a port of the tokenizer: whole recordings, batches, prefixes, and streams past the
    window.

    Exit code 1 if anything differs. --device and --dtype are of torch and of models.
    """
    files = [Path(file) for file in report]
    for file in files:
        if file.suffix not in REPORTS:
            raise UsageError(f"--report {file}: the suffix must be one of {', '.join(REPORTS)}")
        if not file.parent.is_dir():
            raise ValueError(f"--report {file}: there is no folder {file.parent}")
    shared.check_number("--min-equal", min_equal, 0.0, 1.0)
    shared.check_number("--min-snr", min_snr)
    if [target, command, make].count(None) != 2:
        raise UsageError("give one of TARGET, --command and --make")
    if model is not None and (kit is not None or variants or make is not None):
        raise UsageError("--model stands instead of a kit: leave --kit, --variants and --make out")
    if make is not None:
        return _make(make, variants)

    from catok.cli.terminal import bar, print_result
    from catok.conformance.command import CommandPort
    from catok.conformance.judging import Limits
    from catok.conformance.report import as_text
    from catok.conformance.runner import count_tasks, verify
    from catok.conformance.targets import is_model, port_named

    options: dict[str, Any] = {}
    if device != "cpu" or dtype != "float32":
        from catok.cli.loading import pick_device

        options = {"device": pick_device(device), "dtype": dtype}
    if command is None and model is None and kit is None and target and is_model(target):
        model = target
    if command is not None:
        port = CommandPort(command)
    else:
        assert target is not None
        port = port_named(target, converted=model is not None, **options)
    with ExitStack() as stack:
        chosen = _variants(model, kit, variants, stack)
        names = checks or None
        progress = stack.enter_context(bar(count_tasks(chosen, names), desc="tasks"))
        result = verify(port, chosen, names, Limits(min_equal, min_snr), progress.update)
    print_result(as_text(result))
    _write(result, files)
    return 0 if result.passed else 1


def _variants(
    model: str | None, kit: str | None, names: tuple[str, ...], stack: ExitStack
) -> "list[Variant]":
    from tempfile import TemporaryDirectory

    from catok.cli.terminal import print_note
    from catok.conformance.kit import load_kit, make_kit
    from catok.conformance.targets import model_variant

    if model is not None:
        print_note(f"computing the vectors of {model} in float64")
        return [model_variant(model)]
    if kit is None:
        kit = stack.enter_context(TemporaryDirectory(prefix="catok-kit-"))
        make_kit(kit, *([names] if names else []))
    return load_kit(kit, names or None)


def _make(folder: str, names: tuple[str, ...]) -> int:
    from catok.cli.terminal import print_note
    from catok.conformance.kit import make_kit

    make_kit(folder, *([names] if names else []))
    print_note(f"wrote the kit to {folder}")
    return 0


def _write(report: Any, files: list[Path]) -> None:
    import json

    from catok.conformance.page import as_page
    from catok.conformance.report import as_data
    from catok.io.files import replacing

    for file in files:
        page = file.suffix == ".html"
        text = as_page(report) if page else json.dumps(as_data(report), indent=1) + "\n"
        with replacing(file) as temporary:
            Path(temporary).write_text(text)
