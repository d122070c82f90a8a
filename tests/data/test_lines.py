"""Lines of text files, wherever they come from."""

import gzip

import pytest

from catok.data.lines import numbered_lines


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


def test_a_line_without_end_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("catok.data.lines.MAX_LINE", 1 << 20)
    path = tmp_path / "bomb.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"one\n")
        for _ in range(4):
            file.write(b"a" * (1 << 20))
    with pytest.raises(ValueError, match="after line 1: line 2 is longer than 1 MiB"):
        list(numbered_lines(path))
