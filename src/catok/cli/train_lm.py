"""`catok train-lm`: train speech synthesis or recognition on codes, from a recipe."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from tqdm import tqdm
from tyro.conf import Positional, arg

from catok.cli import arguments as shared
from catok.cli import terminal
from catok.cli.common import command
from catok.extras import require

if TYPE_CHECKING:
    import torch

    from catok.training.engine.distributed import Group
    from catok.training.lm.train_config import LMTrainConfig
    from catok.training.lm.trainer import LMTrainer


@command
def run(
    recipe: Annotated[Positional[str], arg(metavar="RECIPE", help=shared.RECIPES)],
    out: shared.RunFolder,
    data: shared.TextData,
    valid: shared.ValidData = None,
    tokens: shared.Tokens = None,
    set: shared.Overrides = (),
    device: shared.Device = "auto",
    keys: shared.Keys = False,
) -> int:
    """Train a token language model for synthesis, recognition or both, or go on with a run.

    Recordings are encoded first, once; what is encoded stays. Ctrl-C, SIGTERM and SIGHUP end
    the run after the step at hand and save it. Under torchrun, every process takes its share.
    """
    from catok.cli.recipe_files import find_recipe
    from catok.cli.training import check_run

    path = find_recipe(recipe)
    check_run(out, data, valid)
    require("tts", "transformers")

    from catok.training.engine.recipe import read_recipe
    from catok.training.lm.train_config import LMTrainConfig

    config = LMTrainConfig.from_dict(read_recipe(path, list(set)))
    return train_lm(config, data, valid, tokens, out, device)


def train_lm(
    config: "LMTrainConfig",
    data: str,
    valid: str | None,
    tokens: str | None,
    out: str,
    device: shared.DeviceName,
) -> int:
    """Run a recipe, after encoding what has no codes yet."""
    from catok.cli.training import run_training

    def build(
        group: "Group", place: "torch.device", report: Callable[[dict[str, Any]], None]
    ) -> "LMTrainer":
        import torch

        from catok.training.lm.networks import build_lm_networks
        from catok.training.lm.prepare import check_corpus, open_corpus
        from catok.training.lm.trainer import LMTrainer

        torch.manual_seed(config.seed)
        networks = build_lm_networks(config)
        networks.tokenizer.to(place)
        if valid is not None:  # before the training data is encoded, which takes long
            check_corpus(valid, networks, config.data)
        with Encoding("training data", group.is_main) as encoding:
            folder = None if tokens is None else f"{tokens}/train"
            train = open_corpus(
                data, networks, config.data, tokens=folder, group=group, report=encoding.show
            )
        validation = None
        if valid is not None:
            with Encoding("validation data", group.is_main) as encoding:
                folder = None if tokens is None else f"{tokens}/valid"
                validation = open_corpus(
                    valid, networks, config.data, tokens=folder, group=group, report=encoding.show
                )
        return LMTrainer(
            config, networks, train, validation, out, device=place, group=group, report=report
        )

    return run_training(build, config.steps, out, device)


class Encoding:
    """A bar of recordings encoded so far, on a terminal, of the first process only."""

    def __init__(self, what: str, active: bool) -> None:
        self._what, self._active = what, active and terminal.has_bars()
        self._bar: tqdm | None = None

    def __enter__(self) -> "Encoding":
        return self

    def show(self, done: int, total: int) -> None:
        """`done` of `total` recordings have codes."""
        if self._active and self._bar is None:
            self._bar = terminal.bar(total, unit="file", desc=self._what)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
