"""`catok train`: a training run from a recipe."""

from typing import Annotated

from tyro.conf import Positional, arg

from catok.cli import arguments as shared
from catok.cli.common import command


@command
def run(
    recipe: Annotated[Positional[str], arg(metavar="RECIPE", help="A TOML file of settings.")],
    out: shared.RunFolder,
    data: shared.TrainData = None,
    valid: shared.ValidData = None,
    set: shared.Overrides = (),
    device: shared.Device = "auto",
) -> int:
    """Train a tokenizer, or go on with the run in FOLDER.

    Ctrl-C, SIGTERM and SIGHUP end the run after the step at hand and save it. Under torchrun, every
    process takes its share of the work.
    """
    from catok.cli.training import train
    from catok.training.engine.recipe import load_recipe

    return train(load_recipe(recipe, list(set)), data, valid, out, device)
