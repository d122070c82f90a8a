"""Lines of text files, wherever they come from."""

import gzip

import pytest

from catok.training.data.lines import numbered_lines


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_lines_are_stripped_and_numbered(tmp_path, name):
    content = "\ufeff one \n\n \ttwo\r\n\nthree".encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    assert list(numbered_lines(path)) == [(1, "one"), (3, "two"), (5, "three")]


def test_what_cannot_be_read_names_the_last_good_line(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 9000 + b"\n\xff\n")
    with pytest.raises(ValueError, match=r"a\.txt cannot be read after line [01]: .*utf-8"):
        list(numbered_lines(path))
    path.with_suffix(".gz").write_bytes(gzip.compress(b"one\ntwo\n")[:-9])
    with pytest.raises(ValueError, match=r"a\.gz cannot be read after line"):
        list(numbered_lines(path.with_suffix(".gz")))
    with pytest.raises(ValueError, match=r"nowhere cannot be read after line 0"):
        list(numbered_lines(tmp_path / "nowhere"))
