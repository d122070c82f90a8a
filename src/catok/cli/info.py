"""`catok info`: what a `.cat` file or a folder is."""

from typing import Annotated

from tyro.conf import Positional, arg

from catok.cli.common import command


@command
def run(
    target: Annotated[
        Positional[str],
        arg(metavar="TARGET", help='A .cat file or - for one, "tiny", a folder or a hub id.'),
    ],
    json: Annotated[bool, arg(help="Print JSON instead of lines.", help_behavior_hint="")] = False,
) -> int:
    """Describe a .cat file, a model, or any folder that catok writes."""
    from pathlib import Path

    from catok.cli.descriptions import as_json, as_lines, describe_cat
    from catok.cli.pipes import spooled_input
    from catok.cli.terminal import print_result
    from catok.io.files import is_pipe

    if target == "-" or is_pipe(target):
        facts = describe_cat(spooled_input(target))
    elif Path(target).is_file() or Path(target).suffix == ".cat":
        facts = describe_cat(target)
    else:
        from catok.cli.describe_folder import describe_folder

        facts = describe_folder(target)
    print_result(as_json(facts) if json else as_lines(facts))
    return 0
