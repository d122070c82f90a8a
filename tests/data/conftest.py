"""Archives and lists written by hand."""

import io
import tarfile

import pytest


@pytest.fixture
def pack(tmp_path):
    """Write a tar of (name, content) members; returns its path."""

    def write(*files, name="x.tar", format=tarfile.GNU_FORMAT):
        with tarfile.open(tmp_path / name, "w", format=format) as tar:
            for member, content in files:
                info = tarfile.TarInfo(member)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return tmp_path / name

    return write
