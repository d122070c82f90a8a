"""The fields of a prompt as options of `catok tts`: one for each of `PromptFields`."""

from dataclasses import make_dataclass
from typing import TYPE_CHECKING, Annotated, get_type_hints

from tyro.conf import arg

from catok.data.prompt_fields import FIELDS, PromptFields

_HINTS = get_type_hints(PromptFields)


def _option(name: str, meaning: str) -> tuple:
    metavar = "N" if _HINTS[name] == int | None else "TEXT"
    about = arg(metavar=metavar, help=meaning, help_behavior_hint="(default: none)")
    return name, Annotated[_HINTS[name], about], None


if TYPE_CHECKING:
    PromptOptions = PromptFields
else:
    PromptOptions = make_dataclass(
        "PromptOptions", [_option(*each) for each in FIELDS.items()], frozen=True, kw_only=True
    )
