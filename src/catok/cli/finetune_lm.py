"""`catok finetune-lm`: adapt a speech model, such as `tiny-tts`, to a voice."""

from typing import Annotated

from tyro.conf import Positional, arg

from catok.cli import arguments as shared
from catok.cli.common import command
from catok.extras import require


@command
def run(
    model: Annotated[
        Positional[str],
        arg(metavar="MODEL", help='"tiny-tts", "tiny-asr", a model folder or a hub id.'),
    ],
    out: shared.RunFolder,
    data: shared.TextData,
    valid: shared.ValidData = None,
    tokens: shared.Tokens = None,
    tokenizer: Annotated[
        str | None,
        arg(
            metavar="M",
            help="Audio tokenizer of a released model.",
            help_behavior_hint="(default: the model's own)",
        ),
    ] = None,
    steps: Annotated[int, arg(metavar="N", help="Steps to take.")] = 300,
    set: shared.Overrides = (),
    device: shared.Device = "auto",
    keys: shared.Keys = False,
) -> int:
    """Fine-tune a model of speech synthesis or recognition on other recordings, such as a voice.

    A run in the same folder goes on where it stopped. The model so far is in OUT/model.
    """
    from catok.cli.train_lm import train_lm
    from catok.cli.training import check_run

    shared.check_count("--steps", steps)
    check_run(out, data, valid)
    require("tts", "transformers")

    from catok.io.hub import find_folder
    from catok.io.kinds import SPEECH_KINDS, check_kind
    from catok.training.engine.recipe import overridden
    from catok.training.lm.finetune import finetune_lm_recipe
    from catok.training.lm.train_config import LMTrainConfig

    folder = find_folder(model).absolute()  # never the name of a preset
    check_kind(folder, *SPEECH_KINDS)
    recipe = finetune_lm_recipe(folder, tokenizer=tokenizer, steps=steps)
    config = LMTrainConfig.from_dict(overridden(recipe.to_dict(), list(set)))
    return train_lm(config, data, valid, tokens, out, device)
