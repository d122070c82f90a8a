"""The house: data flows one way, no room knows a room to its right (docs/architecture.md)."""

import ast
from importlib import import_module
from pathlib import Path

import catok

ROOT = Path(catok.__file__).parent
ROOMS = (
    "modules",
    "tokenizer",
    "corpus",
    "lm",
    "serving",
    "training",
    "evaluation",
    "export",
    "hf",
    "conformance",
    "cli",
)  # left to right
SHARED = ("io", "audio", "data", "codes")  # left of all rooms


def imports(path: Path) -> set[str]:
    """Full names of the modules of ours that a file imports, late imports among them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("catok"):
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names if name.name.startswith("catok")}
    return found


def test_no_room_knows_a_room_to_its_right():
    wrong = []
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] in ROOMS:
            rank = ROOMS.index(parts[0])
        elif parts[0] in SHARED:
            rank = -1
        else:
            continue  # the package itself, which names what is public
        for name in imports(path):
            room = name.partition(".")[2].partition(".")[0]
            if room in ROOMS and ROOMS.index(room) > rank:
                wrong.append(f"{'/'.join(parts)} imports {name}")
    assert not wrong


def test_every_folder_is_a_known_room():
    folders = {path.name for path in ROOT.iterdir() if (path / "__init__.py").is_file()}
    assert folders == {*ROOMS, "audio", "data", "io"}


def test_no_file_is_too_long():
    lengths = {path: len(path.read_text().splitlines()) for path in ROOT.rglob("*.py")}
    assert {path for path, length in lengths.items() if length > 500} == set()


def lazy_packages() -> list[Path]:
    """The `__init__` files of packages whose names are imported on first use."""
    return [path for path in ROOT.rglob("__init__.py") if "lazy_names" in path.read_text()]


def test_public_names_are_what_is_exported():
    assert len(lazy_packages()) >= 4
    for path in lazy_packages():
        package = import_module(".".join(("catok", *path.relative_to(ROOT).parts[:-1])))
        homes = ast.literal_eval(
            next(
                node.args[1]
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy_names"
            )
        )
        assert sorted(package.__all__) == sorted(homes) == dir(package)
        for name in homes:
            assert getattr(package, name) is not None


def test_folders_of_evaluation_have_no_circles():
    """Its folders, and its own files as one more, import each other in one direction."""
    home = ROOT / "evaluation"
    knows: dict[str, set[str]] = {}
    for path in home.rglob("*.py"):
        if path == home / "__init__.py":
            continue  # names what is public, imported on first use
        parts = path.relative_to(home).parts
        folder = parts[0] if len(parts) > 1 else "its own files"
        for name in imports(path):
            if name.startswith("catok.evaluation."):
                target = name.split(".")[2]
                target = target if (home / target).is_dir() else "its own files"
                knows.setdefault(folder, set()).add(target)
    while knows:
        leaves = {folder for folder in knows if not knows[folder] & (knows.keys() - {folder})}
        assert leaves, f"a circle among {sorted(knows)}"
        knows = {folder: targets for folder, targets in knows.items() if folder not in leaves}
