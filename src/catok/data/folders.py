"""Audio files in folders: one list of suffixes and one walk, whatever the files are wanted for."""

import os
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from catok.io.files import StrPath

_SOUNDFILE = "wav wave bwf rf64 w64 flac ogg oga opus mp3 mp2 aif aiff aifc au snd caf sph nist voc"
_FFMPEG = (
    "m4a m4b aac mp4 m4v mov 3gp 3g2 webm weba mkv mka wma wmv asf avi flv amr ac3 eac3 dts ape wv "
    "tta mpc spx shn"
)
SOUNDFILE_SUFFIXES = frozenset(f".{name}" for name in _SOUNDFILE.split())
"""Audio that soundfile reads."""
FFMPEG_SUFFIXES = frozenset(f".{name}" for name in _FFMPEG.split())
"""Audio and films that PyAV or the ffmpeg program read, where one of them is installed."""
AUDIO_SUFFIXES = SOUNDFILE_SUFFIXES | FFMPEG_SUFFIXES

HIDDEN = "hidden"
REPEATED = "linked folders found elsewhere"
UNREADABLE = "folders that may not be read"
NO_SUFFIX = "without suffix"
_NAMED = 6  # kinds that a summary names


@dataclass(frozen=True)
class FoundFiles:
    """Files of a folder, sorted, and how many others it holds by suffix (lower case)."""

    files: list[Path]
    left_out: Counter[str]

    @property
    def summary(self) -> str:
        """What was left out in words, such as "3 .txt, 1 .pdf"; empty if nothing was."""
        return summarize(self.left_out)


def find_audio(folder: StrPath) -> FoundFiles:
    """The audio files of a folder and its subfolders: those of `AUDIO_SUFFIXES`. See `find_files`.

    Whether a file can be read is found out by reading it.
    """
    return find_files(folder, AUDIO_SUFFIXES)


def find_files(folder: StrPath, suffixes: Collection[str]) -> FoundFiles:
    """The files of a folder and its subfolders whose names end in one of `suffixes` (lower case).

    Links are followed, to files and to folders; no folder is entered twice, so that links cannot
    loop or repeat its files: one that lies in `folder` itself is found there, not by a link. Files
    and folders whose names begin with a dot are hidden and left out, but not `folder` itself. A
    link to a file that is gone is listed, for its reader to complain of.

    Raises ValueError when `folder` is no folder or may not be read.
    """
    if not os.path.isdir(folder):
        raise ValueError(f"no folder at {folder}: check the path")
    walk = _FolderWalk(suffixes)
    walk.enter(os.fspath(folder))
    if walk.left_out[UNREADABLE] and not walk.entered:
        raise ValueError(f"folder {folder} may not be read: change its permissions")
    return FoundFiles(sorted(map(Path, walk.files)), walk.left_out)


def summarize(left_out: Counter[str]) -> str:
    """Counts by suffix in words, the largest first: "3 .txt, 1 .pdf"."""
    kinds = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    words = [f"{count} {kind}" for kind, count in kinds[:_NAMED]]
    others = sum(count for _, count in kinds[_NAMED:])
    return ", ".join([*words, f"{others} others"] if others else words)


class _FolderWalk:
    """Folders entered so far, and what they hold."""

    def __init__(self, suffixes: Collection[str]) -> None:
        self.files: list[str] = []
        self.left_out: Counter[str] = Counter()
        self.entered: set[tuple[int, int]] = set()  # device and inode of each folder
        self._suffixes = suffixes

    def enter(self, root: str) -> None:
        """Walk a folder; links to folders come last, so that they repeat nothing."""
        links = self._walk(root)
        while links:
            links += self._walk(links.pop(0))

    def _walk(self, top: str) -> list[str]:
        """Take the files below `top`; returns the links to folders met there, sorted."""
        links: list[str] = []
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            try:
                key = self._key(folder)
                entries = list(os.scandir(folder))
            except OSError:
                self.left_out[UNREADABLE] += 1
                continue
            if key in self.entered:
                self.left_out[REPEATED] += 1
                continue
            self.entered.add(key)
            for entry in entries:
                if entry.name.startswith("."):
                    self.left_out[HIDDEN] += 1
                elif not os.path.isdir(entry.path):
                    self._take(entry)
                elif entry.is_symlink():
                    links.append(entry.path)
                else:
                    waiting.append(entry.path)
        return sorted(links)

    def _take(self, entry: "os.DirEntry[str]") -> None:
        suffix = os.path.splitext(entry.name)[1].lower()
        broken = entry.is_symlink() and not os.path.exists(entry.path)
        if suffix in self._suffixes and (broken or os.path.isfile(entry.path)):
            self.files.append(entry.path)
        else:
            short = suffix[1:].isalnum() and len(suffix) <= 10
            self.left_out[suffix if short else NO_SUFFIX] += 1

    @staticmethod
    def _key(folder: str) -> tuple[int, int]:
        status = os.stat(folder)
        return status.st_dev, status.st_ino
