"""The recipes that come with catok: inside an installed package, or in the checkout."""

import os
from pathlib import Path

import catok


def recipes_folder() -> Path:
    """The folder of recipes. Raises ValueError where there is none."""
    package = Path(catok.__file__).parent
    for folder in (package / "recipes", package.parents[1] / "recipes"):
        if folder.is_dir():
            return folder
    raise ValueError("this installation of catok has no recipes: install it anew")


def find_recipe(name: str) -> Path:
    """One's own recipe by its path, else one of ours, as tiny/train or recipes/tiny/train.toml.

    Raises ValueError where there is neither.
    """
    if os.path.exists(name):
        return Path(name)
    short = name.removeprefix("recipes/")
    try:
        folder = recipes_folder()
    except ValueError:
        folder = None
    for place in (short, f"{short}.toml"):
        if folder is not None and (folder / place).is_file() and ".." not in Path(place).parts:
            return folder / place
    raise ValueError(f"cannot read the recipe {name}: no such file; `catok recipes` lists ours")


def recipe_files(folder: Path) -> list[Path]:
    """All files of the recipes in a folder: TOML, what they are based on, and guides."""
    kinds = {".toml", ".json", ".md", ".py"}
    return sorted(file for file in folder.rglob("*") if file.suffix in kinds)


def purpose(recipe: Path) -> str:
    """The first sentence of the comment that a recipe begins with."""
    comment: list[str] = []
    for line in recipe.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#") or (comment and line.strip() == "#"):
            break
        comment.append(line.lstrip("# "))
    return " ".join(comment).split(". ")[0].rstrip(".")
