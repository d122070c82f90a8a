"""What a recogniser hears in clips, one JSON line each, so that a stopped run goes on."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from research.english.tiny import write_lines

Listen = Callable[[Sequence[Path]], list[str]]


def read_transcripts(path: Path) -> dict[str, str]:
    """Stem of a clip -> what was heard; a line that a crash cut off is left out."""
    heard = {}
    if path.exists():
        for line in path.read_text("utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            heard[row["stem"]] = row["heard"]
    return heard


def transcribe_clips(
    clips: Iterable[Path], listen: Listen, path: Path, batch: int = 16, every: int = 32
) -> dict[str, str]:
    """Transcribe the clips that the file lacks, `batch` at a time, and add them to it.

    Returns stem -> what was heard, for all in the file. Short files come first, so that clips of
    like length are heard together; the log has a line for `every` so many batches.
    """
    heard = read_transcripts(path)
    write_lines(path, [{"stem": stem, "heard": text} for stem, text in heard.items()])
    missing = [clip for clip in clips if clip.stem not in heard]
    missing.sort(key=lambda clip: (clip.stat().st_size, clip.stem))
    with path.open("a", encoding="utf-8") as file:
        for index in range(0, len(missing), batch):
            group = missing[index : index + batch]
            for clip, text in zip(group, listen(group), strict=True):
                heard[clip.stem] = text
                row = {"stem": clip.stem, "heard": text}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            if index // batch % every == 0:
                print(f"  {index} of {len(missing)} clips heard", flush=True)
    return heard
