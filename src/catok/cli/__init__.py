"""The `catok` command: one file per subcommand.

Only here are arguments parsed, text printed and devices picked. The command files import what they
work with when they run, so that `catok --help` need not wait for it.
"""

import sys
from collections.abc import Sequence

import tyro

from catok.cli import (
    asr,
    decode,
    encode,
    evaluate,
    finetune,
    info,
    roundtrip,
    score,
    train,
    train_lm,
    tts,
)
from catok.cli.errors import exit_code

COMMANDS = {
    "encode": encode.run,
    "decode": decode.run,
    "roundtrip": roundtrip.run,
    "info": info.run,
    "train": train.run,
    "train-lm": train_lm.run,
    "finetune": finetune.run,
    "evaluate": evaluate.run,
    "score": score.run,
    "tts": tts.run,
    "asr": asr.run,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line, by default the program's own; returns the exit code.

    Raises SystemExit after `--help` (0) and where the arguments do not parse (2).
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments == ["--version"]:
        from catok import __version__

        print(f"catok {__version__}")
        return 0
    return exit_code(
        lambda: tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="catok",
            description="Audio to discrete tokens and back, with the Causal Audio Tokenizer.",
            args=arguments,
            config=(tyro.conf.FlagCreatePairsOff,),
        )
    )
