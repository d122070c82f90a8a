"""`catok recipes`: the recipes that come with catok, to read and to copy."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from catok.cli import arguments as shared
from catok.cli.common import command

if TYPE_CHECKING:
    from catok.cli.files import Existing


@command
def run(
    name: Annotated[
        Positional[str | None],
        arg(
            metavar="NAME",
            help="A recipe to print, such as tiny/train, or with -o a folder of them, such as toy.",
            help_behavior_hint="(default: list all)",
        ),
    ] = None,
    out: Annotated[
        str | None,
        arg(
            aliases=["-o"],
            metavar="FOLDER",
            help="Copy NAME, with all files beside it, into this folder; it is made.",
            help_behavior_hint="(default: print)",
        ),
    ] = None,
    overwrite: shared.Overwrite = False,
    skip_existing: shared.SkipExisting = False,
) -> int:
    """List, print or copy the recipes that come with catok.

    Commands take them by name: catok train tiny/train --data recordings/ --out runs/mine
    """
    from catok.cli.errors import UsageError
    from catok.cli.files import Existing
    from catok.cli.recipe_files import find_recipe, purpose, recipe_files, recipes_folder
    from catok.cli.terminal import print_result

    existing, folder = Existing(overwrite, skip_existing), recipes_folder()
    if name is None:
        if out is not None:
            raise UsageError("name the recipe to copy: `catok recipes` lists them")
        files = [file for file in recipe_files(folder) if file.suffix == ".toml"]
        names = [file.relative_to(folder).with_suffix("").as_posix() for file in files]
        width = max(map(len, names))
        print_result(
            "\n".join(f"{n:{width}}  {purpose(f)}" for n, f in zip(names, files, strict=True))
        )
        return 0
    inside = folder / name.removeprefix("recipes/").rstrip("/")
    is_group = inside.is_dir() and ".." not in inside.parts
    source = inside if is_group else find_recipe(name).parent
    if out is not None:
        return _copied(recipe_files(source), source, out, existing)
    if is_group:
        print_result(
            "\n".join(file.relative_to(folder).as_posix() for file in recipe_files(source))
        )
    else:
        print_result(find_recipe(name).read_text(encoding="utf-8").rstrip("\n"))
    return 0


def _copied(files: list[Path], source: Path, out: str, existing: "Existing") -> int:
    from catok.cli.folders import make_folder
    from catok.cli.terminal import print_note
    from catok.io.files import replacing

    make_folder(Path(out))
    copied = 0
    for file in files:
        target = Path(out) / file.relative_to(source)
        if existing.keeps(target, named=False):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            Path(temporary).write_bytes(file.read_bytes())
        copied += 1
    skipped = len(files) - copied
    extra = f", {skipped} skipped since they exist (--overwrite replaces them)" if skipped else ""
    print_note(f"catok: copied {copied} of {len(files)} files to {out}{extra}")
    return 0
