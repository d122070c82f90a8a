"""Arguments that several commands share, each with its help."""

import math
import os
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
_WHERE = (
    "A file, - for standard output, or a folder: with several inputs, or if it ends in a slash; it "
    "is made."
)
Output = Annotated[
    str | None,
    arg(
        aliases=["-o"],
        metavar="OUT",
        help=f"{_WHERE} Without it: beside the input.",
        help_behavior_hint=_NO_DEFAULT,
    ),
]
RequiredOutput = Annotated[str, arg(aliases=["-o"], metavar="OUT", help=_WHERE)]
Overwrite = Annotated[
    bool,
    arg(
        help="Replace outputs that are there already. Else only a file that -o names is replaced; "
        "of many, those that are there are skipped.",
        help_behavior_hint=_NO_DEFAULT,
    ),
]
SkipExisting = Annotated[
    bool,
    arg(
        help="Replace nothing that is there already, not even a file that -o names.",
        help_behavior_hint=_NO_DEFAULT,
    ),
]
FormatName = Literal["auto", "wav", "flac", "ogg", "opus", "mp3", "aiff", "w64"]
Format = Annotated[
    FormatName,
    arg(help="Of the audio that is written; auto: what the suffix of OUT says, or WAV."),
]
Channels = Annotated[
    str | None,
    arg(
        metavar="N,...",
        help="Channels of the recordings to use, counted from 1, such as 1 or 3,4.",
        help_behavior_hint="(default: all)",
    ),
]
DownmixName = Literal["itu", "mean", "first"]
Downmix = Annotated[
    DownmixName,
    arg(
        help="How many channels become few: by the weights of ITU-R BS.775 for surround sound, by "
        "their mean (for arrays of microphones), or by taking the first."
    ),
]
Shard = Annotated[
    str | None,
    arg(
        metavar="I/N",
        help="Do part I of N of the recordings, from 1/N to N/N: for several machines.",
        help_behavior_hint=_NO_DEFAULT,
    ),
]
Workers = Annotated[int, arg(metavar="N", help="Processes that work side by side.")]
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
# of evaluation
RECOGNISERS = (
    '"tiny.en", "base", a folder of CTranslate2 or transformers, a hub id, or catok:PATH, where '
    "PATH is what `catok asr --model` takes."
)

SPEAKERS = 'a WavLMForXVector by folder or hub id, or "resemblyzer" (see docs/metrics.md).'

# of a training run
RECIPES = "A TOML file of settings, or the name of one of `catok recipes`."
Keys = Annotated[
    bool,
    arg(
        help="Print every key of a recipe, with type, default and meaning, and end.",
        help_behavior_hint=_NO_DEFAULT,
    ),
]
RunFolder = Annotated[
    str,
    arg(
        aliases=["-o"],
        metavar="FOLDER",
        help="Where log.jsonl, last.pt and model/ go; a run that is there goes on.",
    ),
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
TextData = Annotated[
    str,
    arg(
        metavar="DATA",
        help="Recordings with text: a manifest, a folder of audio and .txt, a Kaldi, LibriSpeech "
        "or LJSpeech folder; or codes with text: shards of `catok tokenize`, a manifest of .cat "
        "files.",
    ),
]
Tokens = Annotated[
    str | None,
    arg(
        metavar="FOLDER",
        help="Where the recordings' codes are kept, or put.",
        help_behavior_hint="(default: beside DATA)",
    ),
]
Overrides = Annotated[
    tuple[str, ...],
    arg(
        metavar="KEY=VALUE...",
        help="Settings instead of the recipe's, such as data.batch_size=4.",
        help_behavior_hint=_NO_DEFAULT,
    ),
]


def check_count(option: str, value: int | None) -> None:
    """Raise ValueError for a count below 1; None is for one that is not given."""
    if value is not None and value < 1:
        raise ValueError(f"{option} must be at least 1, got {value}")


def check_number(
    option: str, value: float | None, least: float = 0.0, most: float = math.inf
) -> None:
    """Raise ValueError for a number that is not finite or not from `least` to `most`."""
    if value is None or (least <= value <= most and value < math.inf):
        return
    end = f" and at most {most:g}" if most < math.inf else ""
    raise ValueError(f"{option} must be a number of at least {least:g}{end}, got {value}")


def parse_channels(text: str | None) -> tuple[int, ...] | None:
    """From "3,4", counted from 1, to (2, 3), from 0. Raises ValueError for anything else."""
    if text is None:
        return None
    numbers = [number.strip() for number in text.split(",")]
    if not all(number.isdecimal() and 0 < int(number) < 10_000 for number in numbers):
        raise ValueError(f"--channels {text}: write numbers from 1, such as 1 or 3,4")
    return tuple(int(number) - 1 for number in numbers)


def check_exists(path: str) -> None:
    """Raise ValueError where there is no file or folder of that name."""
    if not os.path.exists(path):
        raise ValueError(f"{path} does not exist: check the path")
