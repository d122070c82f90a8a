"""`catok train`: a training run from a recipe."""

from typing import Annotated

from tyro.conf import Positional, arg

from catok.cli import arguments as shared
from catok.cli.common import command
from catok.extras import require


@command
def run(
    recipe: Annotated[Positional[str], arg(metavar="RECIPE", help=shared.RECIPES)],
    out: shared.RunFolder,
    data: shared.TrainData = None,
    valid: shared.ValidData = None,
    set: shared.Overrides = (),
    device: shared.Device = "auto",
    keys: shared.Keys = False,
) -> int:
    """Train a tokenizer, or go on with the run in FOLDER.

    Ctrl-C, SIGTERM and SIGHUP end the run after the step at hand and save it. Under torchrun, every
    process takes its share of the work.
    """
    from catok.cli.recipe_files import find_recipe
    from catok.cli.training import check_run, train

    path = find_recipe(recipe)
    require("train", "lhotse")
    check_run(out, data, valid)

    from catok.training.codec.train_config import load_recipe

    return train(load_recipe(path, list(set)), data, valid, out, device)
