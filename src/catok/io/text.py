"""Text files that somebody else wrote: regular files of UTF-8, up to a size."""

import os
import stat

from catok.io.files import StrPath

MAX_BYTES = 64 << 20


def read_text(path: StrPath, max_bytes: int = MAX_BYTES) -> str:
    """The text of a file.

    Raises ValueError where there is none, on folders, pipes and devices (which are not opened: they
    could block or never end), above `max_bytes`, and on anything but UTF-8.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{path} is not a regular file")
        if status.st_size > max_bytes:
            raise ValueError(
                f"{path} has {status.st_size} bytes, more than the {max_bytes} that are read"
            )
        with open(path, "rb") as file:
            data = file.read(max_bytes)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text ({error}): fetch or save it again") from error
