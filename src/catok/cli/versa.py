"""`catok score versa-export` and `versa-import`: to the VERSA toolkit and back."""

from typing import Annotated, Literal

from tyro.conf import arg

from catok.cli.common import command
from catok.cli.terminal import print_error, print_result

_NO_DEFAULT = ""


@command
def export(
    out: Annotated[
        str,
        arg(aliases=["-o"], metavar="FOLDER", help="Where WAV files and VERSA's lists go."),
    ],
    run: Annotated[
        str | None,
        arg(
            metavar="FOLDER",
            help="A finished `catok evaluate` run: one folder per system and setting.",
            help_behavior_hint=_NO_DEFAULT,
        ),
    ] = None,
    list: Annotated[
        str | None,
        arg(
            metavar="META",
            help="Or the list of a speech synthesis, as for `catok score tts`.",
            help_behavior_hint=_NO_DEFAULT,
        ),
    ] = None,
    audio: Annotated[
        str | None,
        arg(metavar="FOLDER", help="With --list: the outputs.", help_behavior_hint=_NO_DEFAULT),
    ] = None,
    against: Annotated[
        Literal["prompt", "target"],
        arg(help="With --list: compare with the prompt, or with the list's recording of the text."),
    ] = "prompt",
) -> int:
    """Write what VERSA scores: pred.scp, gt.scp, text and 16-bit WAV files.

    The folders are printed on stdout.
    """
    from catok.cli.errors import UsageError
    from catok.evaluation.protocols.seed_tts_eval import read_seed_tts_list
    from catok.evaluation.protocols.tts import speech_from_folder
    from catok.evaluation.versa.export import export_run, export_tts

    if run is not None and list is None and audio is None:
        made = export_run(run, out)
    elif run is None and list is not None and audio is not None:
        made = export_tts(read_seed_tts_list(list), speech_from_folder(audio), out, against)
    else:
        raise UsageError("give --run, or --list and --audio")
    for name, system, reason in made.failures:
        print_error(f"catok: {' '.join(filter(None, (name, system)))}: {reason}")
    for folder in made.folders:
        print_result(str(folder))
    return 1 if made.failures else 0


@command
def read_back(
    folders: Annotated[
        tuple[str, ...],
        arg(metavar="FOLDER...", help="Folders of versa-export, VERSA's result.jsonl in each."),
    ],
    out: Annotated[
        str, arg(aliases=["-o"], metavar="FILE", help="JSON-lines file of rows to write.")
    ],
    rows: Annotated[
        str | None,
        arg(
            metavar="FILE",
            help="Rows to join them to: rows.jsonl of `catok evaluate` or `catok score tts`.",
            help_behavior_hint=_NO_DEFAULT,
        ),
    ] = None,
) -> int:
    """Read VERSA's results back, joined to our own rows if given.

    Means are printed on stdout.
    """
    import json
    from pathlib import Path

    from catok.data.jsonl import read_jsonl
    from catok.evaluation.versa.results import join_versa_rows, versa_means, versa_rows
    from catok.io.files import replacing

    results = []
    for folder in folders:
        scored = versa_rows(folder)
        results += scored
        for name, value in versa_means(scored).items():
            print_result(f"{Path(folder).name}  {name}  {value:.4g}")
    if rows is not None:
        results = join_versa_rows([row for _, row in read_jsonl(rows)], results)
    with replacing(out) as temporary:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in results)
        Path(temporary).write_text("".join(lines), encoding="utf-8", errors="backslashreplace")
    return 0
