"""Archives end with their zero blocks; all else is damage, and told."""

import tarfile

import pytest

from catok.data.tar import MAX_EXTENDED, members, open_reference


def listed(path):
    """The names before the archive ends or is damaged, and the complaint."""
    names = []
    try:
        for member in members(path):
            names.append(member.name)
    except ValueError as error:
        return names, str(error)
    return names, ""


def header(name, size=0, kind=tarfile.REGTYPE):
    """512 bytes, with a valid checksum for any size."""
    info = tarfile.TarInfo(name)
    info.type = kind
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    if size < 0:
        block[124:136] = bytes([0xFF]) + (size % 256**11).to_bytes(11, "big")
    else:
        block[124:136] = b"%011o\0" % size
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_names_and_contents_are_those_of_tarfile(pack, format):
    long = "d/" * 40 + "n" * (90 if format == tarfile.USTAR_FORMAT else 300)
    files = [("a.wav", b"x" * 700), ("ünïcode.txt", b""), (long, b"y" * 512), ("b", b"z")]
    path = pack(*files, format=format)
    found = list(members(path))
    assert [member.name for member in found] == [name for name, _ in files]
    assert [member.read() for member in found] == [content for _, content in files]
    with open_reference(found[0].reference) as window:
        assert window.read() == b"x" * 700


def test_every_flipped_bit_of_a_header_is_told(pack):
    path = pack(*[(f"{i}.wav", bytes(600)) for i in range(4)])
    whole = path.read_bytes()
    for byte in (0, 100, 124, 130, 148, 156, 257, 400, 511):
        data = bytearray(whole)
        data[1536 + byte] ^= 1  # the header of the second member
        path.write_bytes(data)
        names, said = listed(path)
        assert names == ["0.wav"] and "bytes from there on are left out" in said, byte


def test_an_archive_that_is_cut_off_is_told(pack):
    path = pack(("a.wav", bytes(100)), ("b.wav", bytes(5000)))
    whole = path.read_bytes()
    for length, names in ((1024, ["a.wav"]), (1300, ["a.wav"]), (3000, ["a.wav"])):
        path.write_bytes(whole[:length])
        assert listed(path)[0] == names and listed(path)[1], length
    path.write_bytes(whole[: 1024 + 512 + 5120])  # all members, but no end
    assert listed(path) == (["a.wav", "b.wav"], listed(path)[1])
    assert "cut off" in listed(path)[1]


def test_archives_joined_end_to_end_are_read_to_the_last(pack):
    one, two = pack(("a.wav", b"1"), name="1.tar"), pack(("b.wav", b"2"), name="2.tar")
    one.write_bytes(one.read_bytes() + two.read_bytes())
    assert listed(one) == (["a.wav", "b.wav"], "")
    one.write_bytes(one.read_bytes() + b"garbage")
    assert listed(one)[0] == ["a.wav", "b.wav"] and "no header" in listed(one)[1]


@pytest.mark.parametrize("size", [-512, -1, 1 << 60])
def test_sizes_that_cannot_be(tmp_path, size):
    (tmp_path / "x.tar").write_bytes(header("a") + header("b", size) + bytes(2048))
    names, said = listed(tmp_path / "x.tar")
    assert names == ["a"] and "has a size of" in said


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_extended_headers_are_bounded(tmp_path, kind):
    with (tmp_path / "x.tar").open("wb") as file:
        file.write(header("x", MAX_EXTENDED + 1, kind))
        file.truncate(1 << 30)  # sparse: nothing of it is read
    assert "an extended header of" in listed(tmp_path / "x.tar")[1]


def test_links_are_listed_as_such(tmp_path, pack):
    path = pack(("a.wav", b"1"))
    with tarfile.open(path, "a") as tar:
        link = tarfile.TarInfo("b.wav")
        link.type, link.linkname = tarfile.LNKTYPE, "a.wav"
        tar.addfile(link)
        folder = tarfile.TarInfo("d")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    assert [(m.name, m.regular) for m in members(path)] == [("a.wav", True), ("b.wav", False)]


def test_what_is_no_archive(tmp_path):
    (tmp_path / "empty.tar").write_bytes(b"")
    (tmp_path / "text.tar").write_bytes(b"no archive" * 100)
    for name in ("empty.tar", "text.tar", "none.tar"):
        names, said = listed(tmp_path / name)
        assert not names and name in said
