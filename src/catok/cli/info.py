"""`catok info`: what a `.cat` file or a folder is."""

from typing import Annotated

from tyro.conf import Positional, arg

from catok.cli.common import command


@command
def run(
    target: Annotated[
        Positional[str],
        arg(metavar="TARGET", help='A .cat file, "tiny", a folder or a hub id.'),
    ],
    json: Annotated[bool, arg(help="Print JSON instead of lines.", help_behavior_hint="")] = False,
) -> int:
    """Describe a .cat file, a model, or any folder that catok writes."""
    from pathlib import Path

    from catok.cli.facts import as_json, as_lines, cat_facts
    from catok.cli.terminal import tell

    if Path(target).is_file() or Path(target).suffix == ".cat":
        facts = cat_facts(target)
    else:
        from catok.cli.folder_facts import folder_facts

        facts = folder_facts(target)
    tell(as_json(facts) if json else as_lines(facts))
    return 0
