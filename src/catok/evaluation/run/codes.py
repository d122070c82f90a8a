"""The codes that the models chose: kept as `.cat` files, counted per codebook."""

import hashlib
import re
from collections.abc import Sequence
from glob import escape
from pathlib import Path

import torch

from catok.codes import Encoded
from catok.evaluation.metrics.codebook_usage import CodebookUsage, codebook_usage
from catok.evaluation.run.recordings import Recording
from catok.modules.usage import count_codes

LONGEST = 80  # bytes of a name


def slug(name: str) -> str:
    """The name of a system or setting as part of a file name, short and no other name's."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._")
    if plain == name.replace(" ", "_") and len(plain.encode()) <= LONGEST:
        return plain
    end = plain.encode()[-LONGEST:].decode(errors="ignore")
    return f"{end}-{hashlib.sha1(name.encode(errors='backslashreplace')).hexdigest()[:8]}"


def codes_folder(out: Path, system: str) -> Path:
    """Where a system's codes are."""
    return out / "codes" / slug(system)


def keep_codes(out: Path, system: str, recording: Recording, encoded: Encoded) -> Path:
    """Write the codes of one recording and return the file's path."""
    path = codes_folder(out, system) / f"{recording.stem}.cat"
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded.save(path)
    return path


def code_files(out: Path, recording: Recording) -> list[Path]:
    """The codes of a recording by every system."""
    return sorted((out / "codes").glob(f"*/{escape(recording.stem)}.cat"))


def use_of_codes(out: Path, system: str, recordings: Sequence[Recording]) -> CodebookUsage | None:
    """How the codebooks of a system were used over all its recordings; None if it kept no codes.

    Raises ValueError for files of different codebooks.
    """
    folder = codes_folder(out, system)
    files = [path for r in recordings if (path := folder / f"{r.stem}.cat").exists()]
    if not files:
        return None
    counts, encoded = None, None
    for path in files:
        encoded = Encoded.load(path)
        mask = torch.ones(1, encoded.codes.shape[2], dtype=torch.bool)
        one = count_codes(encoded.codes, mask, encoded.codebook_size).double()
        if counts is not None and counts.shape != one.shape:
            raise ValueError(
                f"{path} has {list(one.shape)} codebooks x codes, the files before it "
                f"{list(counts.shape)}: evaluate each model into a folder of its own"
            )
        counts = one if counts is None else counts + one
    assert counts is not None and encoded is not None
    return codebook_usage(counts, encoded.frame_rate)
