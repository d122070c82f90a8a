"""What a recogniser hears in clips, one JSON line each, so that a stopped run goes on."""

import json
from collections.abc import Iterable
from pathlib import Path

from recipes.lm.english.tiny import write_lines

from catok import load_audio
from catok.evaluation.transcribers import Transcriber


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
    clips: Iterable[Path], transcriber: Transcriber, path: Path, every: int = 500
) -> dict[str, str]:
    """Transcribe the clips that the file lacks, and add them to it.

    Returns stem -> what was heard, for all in the file.
    """
    heard = read_transcripts(path)
    write_lines(path, [{"stem": stem, "heard": text} for stem, text in heard.items()])
    missing = [clip for clip in clips if clip.stem not in heard]
    with path.open("a", encoding="utf-8") as file:
        for index, clip in enumerate(missing, 1):
            audio, rate = load_audio(clip)
            heard[clip.stem] = transcriber.transcribe(audio[0], rate, "en")
            row = {"stem": clip.stem, "heard": heard[clip.stem]}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            if index % every == 0:
                print(f"  {index} of {len(missing)} clips heard", flush=True)
    return heard
