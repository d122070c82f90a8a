"""All commands, and how a command line is run."""

import sys
from collections.abc import Sequence
from importlib import import_module

import tyro

from catok.cli import (
    asr,
    convert,
    decode,
    encode,
    evaluate,
    export,
    finetune,
    finetune_lm,
    info,
    models,
    plot,
    recipes,
    roundtrip,
    score,
    serve,
    tokenize,
    tokens,
    train,
    train_lm,
    tts,
    verify,
)
from catok.cli.errors import exit_code
from catok.cli.terminal import open_standard_files, print_result

COMMANDS = {
    "encode": encode.run,
    "decode": decode.run,
    "roundtrip": roundtrip.run,
    "info": info.run,
    "plot": plot.run,
    "models": models.run,
    "train": train.run,
    "train-lm": train_lm.run,
    "finetune": finetune.run,
    "finetune-lm": finetune_lm.run,
    "recipes": recipes.run,
    "evaluate": evaluate.run,
    "score": score.run,
    "convert": convert.run,
    "export": export.run,
    "tts": tts.run,
    "asr": asr.run,
    "serve": serve.run,
    "tokenize": tokenize.run,
    "tokens": tokens.run,
    "verify": verify.run,
}
KEYS = {
    "train": ("catok.training.codec.train_config", "CodecTrainConfig"),
    "finetune": ("catok.training.codec.train_config", "CodecTrainConfig"),
    "train-lm": ("catok.training.lm.train_config", "LMTrainConfig"),
    "finetune-lm": ("catok.training.lm.train_config", "LMTrainConfig"),
}
"""Where the configurations are that `--keys` tells of."""


def run(argv: Sequence[str] | None) -> int:
    """As `main`."""
    open_standard_files()
    arguments = sys.argv[1:] if argv is None else list(argv)
    return exit_code(lambda: _parsed(arguments))


def _parsed(arguments: list[str]) -> int:
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--version" in options:
        from catok import __version__

        print_result(f"catok {__version__}")
        return 0
    if "--keys" in options and options[0] in KEYS:
        from catok.cli.keys import annotated_recipe

        module, name = KEYS[options[0]]
        print_result(annotated_recipe(getattr(import_module(module), name)))
        return 0
    return tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        prog="catok",
        description="Audio to discrete tokens and back, with the Causal Audio Tokenizer.",
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
