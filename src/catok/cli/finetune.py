"""`catok finetune`: go on training a model on other data, all of it or parts."""

from typing import Annotated

from tyro.conf import Positional, arg

from catok.cli import arguments as shared
from catok.cli.common import command
from catok.extras import require


@command
def run(
    model: Annotated[
        Positional[str],
        arg(metavar="MODEL", help="An embedded name, a model folder or a hub id."),
    ],
    out: shared.RunFolder,
    data: shared.TrainData = None,
    valid: shared.ValidData = None,
    freeze: Annotated[
        str,
        arg(
            metavar="PARTS",
            help="What stays as it is: encoder, quantizer, decoder; separated by commas.",
        ),
    ] = "encoder,quantizer",
    adversarial: Annotated[
        bool, arg(help="Train with discriminators: slower, sharper.", help_behavior_hint="")
    ] = False,
    semantic: Annotated[
        bool,
        arg(help="Train with a language model that reads the text.", help_behavior_hint=""),
    ] = False,
    steps: Annotated[int, arg(metavar="N", help="Steps to take.")] = 2000,
    recipe: Annotated[
        str | None,
        arg(metavar="RECIPE", help="Other settings than the usual ones.", help_behavior_hint=""),
    ] = None,
    set: shared.Overrides = (),
    device: shared.Device = "auto",
    keys: shared.Keys = False,
) -> int:
    """Fine-tune a model, ours or a released one.

    With encoder and quantizer frozen, as by default, its codes stay the same to the bit: only the
    decoder learns to sound better on your data.
    """
    from dataclasses import replace

    from catok.cli.recipe_files import find_recipe
    from catok.cli.training import check_run, train

    shared.check_count("--steps", steps)
    path = None if recipe is None else find_recipe(recipe)
    require("train", "lhotse")
    check_run(out, data, valid)

    from catok.io.hub import find_folder
    from catok.io.kinds import TOKENIZER, check_kind
    from catok.training.codec.finetune import finetune_recipe
    from catok.training.codec.train_config import load_recipe, override_recipe

    parts = tuple(part.strip() for part in freeze.split(",") if part.strip())
    folder = find_folder(model, companions=True).absolute()  # never the name of a preset
    check_kind(folder, TOKENIZER)
    config = finetune_recipe(folder, parts, adversarial=adversarial, semantic=semantic, steps=steps)
    if path is not None:
        usual = load_recipe(path, ["stages=[{steps=1}]"])  # it need not have any
        reader = usual.semantic or config.semantic
        config = replace(usual, init_from=str(folder), stages=config.stages, semantic=reader)
    return train(override_recipe(config, list(set)), data, valid, out, device)
