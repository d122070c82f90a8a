"""All commands, and how a command line is run."""

import sys
from collections.abc import Sequence

import tyro

from catok.cli import (
    asr,
    decode,
    encode,
    evaluate,
    finetune,
    finetune_lm,
    info,
    roundtrip,
    score,
    tokenize,
    train,
    train_lm,
    tts,
)
from catok.cli.errors import exit_code
from catok.cli.terminal import open_standard_files, tell

COMMANDS = {
    "encode": encode.run,
    "decode": decode.run,
    "roundtrip": roundtrip.run,
    "info": info.run,
    "train": train.run,
    "train-lm": train_lm.run,
    "finetune": finetune.run,
    "finetune-lm": finetune_lm.run,
    "evaluate": evaluate.run,
    "score": score.run,
    "tts": tts.run,
    "asr": asr.run,
    "tokenize": tokenize.run,
}


def run(argv: Sequence[str] | None) -> int:
    """As `main`."""
    open_standard_files()
    arguments = sys.argv[1:] if argv is None else list(argv)
    return exit_code(lambda: _parsed(arguments))


def _parsed(arguments: list[str]) -> int:
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--version" in options:
        from catok import __version__

        tell(f"catok {__version__}")
        return 0
    return tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        prog="catok",
        description="Audio to discrete tokens and back, with the Causal Audio Tokenizer.",
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
