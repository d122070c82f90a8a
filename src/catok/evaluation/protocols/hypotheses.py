"""What a recogniser made of each utterance, as files have it."""

from pathlib import Path

from catok.data.jsonl import read_jsonl
from catok.data.kaldi import read_table
from catok.evaluation.protocols.transcribed import without_suffix


def read_hypotheses(path: str | Path) -> dict[str, str]:
    """Texts by id; they may be empty.

    From JSON lines with `text` and `id` (or `audio`, as in a manifest), or a Kaldi text file of
    lines "id text". Raises ValueError, with file and line, on a malformed line or an id that comes
    twice.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no file of hypotheses at {path}: check the path")
    if path.suffix not in (".jsonl", ".json"):
        return read_table(path)
    found: dict[str, str] = {}
    for number, line in read_jsonl(path):
        where = f"{path}, line {number}"
        name = "id" if "id" in line else "audio"
        for key in (name, "text"):
            if not isinstance(line.get(key), str) or not (key == "text" or line[key].strip()):
                raise ValueError(f'{where}: needs "{key}", a text, got {line.get(key)!r}')
        key = line["id"].strip() if name == "id" else without_suffix(line["audio"].strip())
        if key in found:
            raise ValueError(f"{where}: {key} comes twice")
        found[key] = line["text"].strip()
    return found
