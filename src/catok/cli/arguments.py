"""Arguments that several commands share, each with its help."""

from typing import Annotated, Literal

from tyro.conf import Positional, arg

_NO_DEFAULT = ""

AudioInputs = Annotated[
    Positional[tuple[str, ...]],
    arg(
        metavar="INPUT...",
        help="Audio files, folders of them, or - for standard input.",
        help_behavior_hint=_NO_DEFAULT,
    ),
]
CatInputs = Annotated[
    Positional[tuple[str, ...]],
    arg(
        metavar="INPUT...",
        help=".cat files, folders of them, or - for standard input.",
        help_behavior_hint=_NO_DEFAULT,
    ),
]
Output = Annotated[
    str | None,
    arg(
        aliases=["-o"],
        metavar="OUT",
        help="A file, - for standard output, or with several inputs a folder. Without it: beside "
        "the input.",
        help_behavior_hint=_NO_DEFAULT,
    ),
]
Quantizers = Annotated[
    int | None,
    arg(
        metavar="K",
        help="Use the first K codebooks only: fewer bits, lower quality.",
        help_behavior_hint="(default: all)",
    ),
]
Model = Annotated[
    str, arg(metavar="M", help='"tiny", a model folder, or a hub id such as owner/name.')
]
DeviceName = Literal["auto", "cpu", "cuda"]
Device = Annotated[DeviceName, arg(help="Where to compute; auto takes the GPU where there is one.")]
DtypeName = Literal["float32", "bfloat16", "float16"]
Dtype = Annotated[DtypeName, arg(help="Arithmetic of encoder and decoder.")]
SkipExisting = Annotated[
    bool,
    arg(
        help="Leave outputs that are already there as they are.",
        help_behavior_hint=_NO_DEFAULT,
    ),
]

# of evaluation
RECOGNISERS = (
    '"tiny.en", "base", a folder of CTranslate2 or transformers, a hub id, or catok:PATH, where '
    "PATH is what `catok asr --model` takes."
)

SPEAKERS = 'a WavLMForXVector by folder or hub id, or "resemblyzer" (see docs/metrics.md).'

# of a training run
RunFolder = Annotated[
    str, arg(metavar="FOLDER", help="Where log.jsonl, last.pt and model/ go; may be resumed.")
]
TrainData = Annotated[
    str | None,
    arg(
        metavar="DATA",
        help="What to train on: a folder of audio, a manifest, a Kaldi or Shar directory, tars. "
        "Without it: the recipe's data.corpora.",
        help_behavior_hint=_NO_DEFAULT,
    ),
]
ValidData = Annotated[
    str | None,
    arg(metavar="DATA", help="Likewise, to measure on.", help_behavior_hint=_NO_DEFAULT),
]
Overrides = Annotated[
    tuple[str, ...],
    arg(
        metavar="KEY=VALUE...",
        help="Settings instead of the recipe's, such as data.batch_size=4.",
        help_behavior_hint=_NO_DEFAULT,
    ),
]
Threads = Annotated[
    int | None,
    arg(metavar="N", help="CPU threads.", help_behavior_hint="(default: PyTorch's choice)"),
]
