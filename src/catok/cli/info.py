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

    from catok.cli.facts import as_json, as_lines, cat_facts
    from catok.cli.pipes import spooled_input
    from catok.cli.terminal import tell
    from catok.io.files import is_pipe

    if target == "-" or is_pipe(target):
        facts = cat_facts(spooled_input(target))
    elif Path(target).is_file() or Path(target).suffix == ".cat":
        facts = cat_facts(target)
    else:
        from catok.cli.folder_facts import folder_facts

        facts = folder_facts(target)
    tell(as_json(facts) if json else as_lines(facts))
    return 0
