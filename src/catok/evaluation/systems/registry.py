"""Systems by name, as `--model` and `--baselines` of `catok evaluate` take them.

    tiny                          a tokenizer of this package at 1, 2, 4, ... codebooks
    runs/mine/model:0.5,1,2       at these kbps
    owner/name:8q,16q             at these numbers of codebooks
    original                      the recording itself
    opus:6,12                     Opus at these kbps; opus-soundfile needs no program
    codec2:3200,700C              Codec 2 in these modes
    encodec=FOLDER:1.5,6          Encodec from a folder or hub id; likewise dac=... and mimi=...
    python=mylab.codecs:MuLaw:8   whatever `mylab.codecs.MuLaw("8")` returns

In short `[KIND=]NAME[:SETTINGS]`. No settings, or "all", leave the choice to the system. Settings
are what follows the last colon, unless that holds a slash, so that folders may have colons above
their last part. Write `catok=` before a tokenizer whose name is one of the words above.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from catok.evaluation.systems.base import System
from catok.extras import PYTHON, import_object, parse_python

if TYPE_CHECKING:
    import torch

_ALONE = ("original", "opus", "opus-soundfile", "codec2")
_NAMED = ("catok", "encodec", "dac", "mimi", "python")


def build_system(text: str, *, device: str | torch.device = "cpu") -> System:
    """The system that `text` names (see above), its neural network on `device`.

    Raises ValueError when the text cannot be read, or the codec cannot be had or set so.
    """
    kind, name, settings = parse_system(text)
    if name is None:
        return _build_alone(kind, settings)
    if kind == "python":
        return import_object(name)(*settings)
    bitrates = settings or "all"
    if kind == "catok":
        from catok.evaluation.systems.catok import catok_system

        return catok_system(name, bitrates, device=device)
    from catok.evaluation.systems.neural import NeuralSystem

    return NeuralSystem(name, _transformers_codec(kind)(name, device=device), bitrates)


def parse_system(text: str) -> tuple[str, str | None, tuple[str, ...]]:
    """Kind, name (None for kinds that stand alone) and settings of `[KIND=]NAME[:SETTINGS]`."""
    if text.startswith(PYTHON):
        name, given = parse_python(text)
        return "python", name, tuple(item.strip() for item in given.split(",")) if given else ()
    head, colon, tail = text.rpartition(":")
    if not colon or "/" in tail or "\\" in tail:
        head, colon, tail = text, "", ""
    settings = tuple(item.strip() for item in tail.split(",")) if colon else ()
    kind, equals, name = head.partition("=")
    if equals and kind not in _NAMED:
        kind, equals, name = "catok", "=", head  # a folder with "=" in its name
    if not equals:
        kind, name = (head, None) if head in _ALONE else ("catok", head)
    if name == "" or "" in settings:
        raise ValueError(
            f'cannot read the system {text!r}: write "NAME", "NAME:1,2" or "KIND=NAME:1,2"; '
            f"kinds are {', '.join(_ALONE + _NAMED)}"
        )
    if not equals and name in _NAMED:
        raise ValueError(f"which {name}? Write {name}=FOLDER or {name}=HUB_ID")
    return kind, name, () if settings == ("all",) else settings


def _build_alone(kind: str, settings: tuple[str, ...]) -> System:
    if kind == "original":
        from catok.evaluation.systems.base import Original

        if settings:
            raise ValueError("the original has no settings: leave them out")
        return Original()
    if kind == "codec2":
        from catok.evaluation.systems.codec2 import Codec2

        return Codec2(settings) if settings else Codec2()
    from catok.evaluation.systems.opus import Opus

    coder = "opusenc" if kind == "opus" else "soundfile"
    return Opus(settings, coder=coder) if settings else Opus(coder=coder)


def _transformers_codec(kind: str) -> Callable:
    from catok.evaluation.systems.transformers_codecs import DacCodec, EncodecCodec, MimiCodec

    return {"encodec": EncodecCodec, "dac": DacCodec, "mimi": MimiCodec}[kind]
