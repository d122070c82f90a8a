"""The `catok` command: one file per subcommand.

Only here are arguments parsed, text printed and devices picked. The command files import what they
work with when they run and once the arguments are checked, so that help and mistakes need not wait.
"""

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line, by default the program's own; returns the exit code.

    Raises SystemExit after `--help` (0) and where the arguments do not parse (2).
    """
    try:
        from catok.cli.program import run

        return run(argv)
    except KeyboardInterrupt:  # before there was anything to do, or once more
        return 130
