"""Recipes and the documentation of their keys, for who installed the package."""

import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

import catok
from catok.cli import main
from catok.cli.keys import annotated_recipe
from catok.cli.program import KEYS
from catok.cli.recipe_files import find_recipe
from catok.training.codec.train_config import CodecTrainConfig
from catok.training.lm.train_config import LMTrainConfig

RECIPES = Path(__file__).parents[2] / "recipes"


def keys_of(config: type, seen: set[type]) -> set[str]:
    """All keys of a configuration and of those inside it."""
    found = set()
    hints = get_type_hints(config)
    for name in (field.name for field in fields(config)):
        hint = hints[name]
        inside = [kind for kind in (hint, *get_args(hint)) if is_dataclass(kind)]
        found |= {name} if not inside else keys_of(inside[0], seen)
    return found


@pytest.mark.parametrize(
    "config, missing", [(CodecTrainConfig, "# steps ="), (LMTrainConfig, "# steps =")]
)
def test_every_key_is_told_as_a_recipe_that_reads_back(config, missing):
    text = annotated_recipe(config)
    for key in keys_of(config, set()):
        assert f"\n{key} = " in text or f"\n# {key} =" in text, key
    data = tomllib.loads(text.replace(missing, "steps = 7"))
    required = {"stages": [{"steps": 7}]} if config is CodecTrainConfig else {"steps": 7}
    assert config.from_dict(data) == config.from_dict(required)
    for hint in get_type_hints(config).values():
        if is_dataclass(hint):
            assert (hint.__doc__ or "").strip().splitlines()[0] in text


def test_keys_are_printed_by_the_commands(capsys):
    for command in KEYS:
        assert main([command, "--keys"]) == 0
        assert "learning_rate = 0.000" in capsys.readouterr().out


def test_all_recipes_are_listed_with_a_purpose(capsys):
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = {line.split("  ")[0].strip() for line in lines}
    expected = {
        file.relative_to(RECIPES).with_suffix("").as_posix() for file in RECIPES.rglob("*.toml")
    }
    assert names == expected
    assert all(len(line.split(maxsplit=1)[1]) > 20 for line in lines)


def test_a_recipe_is_printed_and_a_folder_copied(tmp_path, capsys):
    assert main(["recipes", "toy/codec"]) == 0
    assert capsys.readouterr().out == (RECIPES / "toy" / "codec.toml").read_text()
    assert main(["recipes", "toy", "-o", str(tmp_path / "mine")]) == 0
    for name in ("codec.toml", "lm.json", "README.md", "speech.py"):
        assert (tmp_path / "mine" / name).read_bytes() == (RECIPES / "toy" / name).read_bytes()
    (tmp_path / "mine" / "codec.toml").write_text("mine")
    assert main(["recipes", "toy", "-o", str(tmp_path / "mine")]) == 0
    assert (tmp_path / "mine" / "codec.toml").read_text() == "mine"
    assert "copied 0 of" in capsys.readouterr().err
    assert main(["recipes", "purring"]) == 1
    assert "`catok recipes` lists ours" in capsys.readouterr().err
    assert main(["recipes", "../README.md"]) == 1


def test_one_s_own_recipe_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ours = RECIPES / "toy" / "codec.toml"
    for name in ("toy/codec", "toy/codec.toml", "recipes/toy/codec.toml"):
        assert find_recipe(name).samefile(ours)
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "codec.toml").touch()
    assert find_recipe("toy/codec.toml") == Path("toy/codec.toml")


def test_recipes_are_inside_the_wheel():
    wheel = tomllib.loads((RECIPES.parent / "pyproject.toml").read_text())
    wheel = wheel["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {"recipes": "catok/recipes"}
    assert wheel["packages"] == ["src/catok"]
    assert not (Path(catok.__file__).parent / "recipes").exists()  # here they are in the checkout
