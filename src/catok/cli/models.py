"""`catok models`: which models and which extras are here."""

from typing import Annotated

from tyro.conf import arg

from catok.cli.common import command


@command
def run(
    json: Annotated[bool, arg(help="Print JSON instead of lines.", help_behavior_hint="")] = False,
) -> int:
    """List the models in this package and in the hub's cache, and the extras that are installed.

    A code space is named by the weights of its quantizer: models of one understand each other's
    codes.
    """
    import json as json_format

    from catok import extras
    from catok.cli.model_list import embedded, in_cache, table
    from catok.cli.terminal import print_result

    models = [*embedded(), *in_cache()]
    lacking = {name: extras.missing(name) for name in extras.EXTRAS}
    if json:
        rows = [model._asdict() for model in models]
        print_result(json_format.dumps({"models": rows, "missing": lacking}, indent=2))
        return 0
    print_result(
        table(["model", "kind", "code space", "size", "where"], [m.cells() for m in models])
    )
    rows = []
    for name, packages in lacking.items():
        state = f"lacks {', '.join(packages)}" if packages else "installed"
        rows.append([name, state, extras.BRINGS[name]])
    print_result("\n" + table(["extra", "state", "for"], rows))
    for name, packages in lacking.items():
        if packages:
            print_result(f"{name}: {extras.install(name)}")
    return 0
