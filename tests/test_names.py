"""One word per thing, one thing per word: a class name means one class."""

import re
from collections import defaultdict
from pathlib import Path

import catok

ROOT = Path(catok.__file__).parent


def test_no_class_name_has_two_meanings():
    homes = defaultdict(list)
    for path in sorted(ROOT.rglob("*.py")):
        for name in re.findall(r"^ *class (\w+)[(:]", path.read_text(), re.MULTILINE):
            homes[name].append(str(path.relative_to(ROOT)))
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


def test_the_package_lists_its_public_names():
    assert set(catok.__all__) <= set(dir(catok))
    assert not {"Any", "import_module", "lazy_names"} & set(dir(catok))
    assert all(getattr(catok, name) for name in dir(catok))
