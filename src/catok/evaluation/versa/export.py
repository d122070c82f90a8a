"""What the VERSA toolkit scores: folders of WAV files with pred.scp, gt.scp and text.

VERSA (github.com/wavlab-speech/versa, arXiv 2412.17667) takes Kaldi lists of lines "key path":

    python versa/bin/scorer.py --io soundfile --score_config egs/speech.yaml --pred x/pred.scp \\
        --gt x/gt.scp --text x/text --output_file x/result.jsonl

`catok.evaluation.versa.results` reads what it writes.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from catok.audio import load_audio, save_audio
from catok.evaluation.protocols.items import TTSItem
from catok.evaluation.protocols.tts import SpeechSource
from catok.evaluation.results_folder import ROWS, RowFile
from catok.evaluation.run.changed_recordings import check_unchanged
from catok.evaluation.run.recordings import (
    EvalRecording,
    Selection,
    read_recordings,
    select_recordings,
)
from catok.evaluation.run.rows import row_key
from catok.evaluation.systems.base import System
from catok.evaluation.systems.registry import build_system
from catok.io.config import read_config
from catok.io.files import reason, replacing
from catok.io.json import read_json

UTTERANCES = "utterances.jsonl"


def safe_file_name(name: str) -> str:
    """Letters, digits and `._-` of a name: VERSA's keys hold no spaces, and are file names here."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "_"


class VersaFolder:
    """One system at one setting: WAV files first, then, with `finish`, the lists that name them."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._keys: dict[str, Mapping[str, str]] = {}
        self._references: dict[str, Path] = {}
        self._texts: dict[str, str] = {}

    def add(
        self,
        key: str,
        identity: Mapping[str, str],
        audio: Tensor,
        sample_rate: int,
        reference: Path | None = None,
        text: str | None = None,
    ) -> None:
        """Write one output `[C, T]` as 16-bit WAV and note its reference audio and text.

        `identity`: what tells its row in our tables, such as its key, system and setting. Raises
        ValueError where two outputs would get one file.
        """
        key = safe_file_name(key)
        if key in self._keys:
            raise ValueError(f"two utterances would be called {key} in {self.folder}: rename one")
        (self.folder / "wav").mkdir(parents=True, exist_ok=True)
        save_audio(self.folder / "wav" / f"{key}.wav", audio, sample_rate, subtype="PCM_16")
        self._keys[key] = identity
        if reference is not None:
            self._references[key] = reference
        if text and text.strip():
            self._texts[key] = " ".join(text.split())

    def finish(self) -> Path:
        """Write pred.scp, utterances.jsonl and, where every utterance has them, gt.scp and text.

        VERSA passes over utterances that its lists lack, so incomplete lists are not written.
        Paths are absolute. Returns the folder. Raises ValueError when there are no utterances.
        """
        if not self._keys:
            raise ValueError(f"nothing to score in {self.folder}: no output could be had")
        pred = {key: self.folder.absolute() / "wav" / f"{key}.wav" for key in self._keys}
        _write_table(self.folder / "pred.scp", pred)
        for name, values in (("gt.scp", self._references), ("text", self._texts)):
            (self.folder / name).unlink(missing_ok=True)
            if len(values) == len(self._keys):
                _write_table(self.folder / name, values)
        lines = (json.dumps({"versa": k, **i}, ensure_ascii=False) for k, i in self._keys.items())
        _write(self.folder / UTTERANCES, lines)
        return self.folder


@dataclass(frozen=True)
class VersaExport:
    """The folders that were written, and what could not be: (utterance, system or "", reason)."""

    folders: list[Path]
    failures: list[tuple[str, str, str]]


def export_tts(
    items: Sequence[TTSItem], synthesize: SpeechSource, out: str | Path, against: str = "prompt"
) -> VersaExport:
    """Outputs of a speech synthesis, as `score_tts` takes them, into one folder.

    `against`: what VERSA compares them with, "prompt" (for speaker similarity) or "target" (the
    list's recording of the same text). Raises ValueError for another word, or a list without them.
    """
    if against not in ("prompt", "target"):
        raise ValueError(f'against must be "prompt" or "target", got {against!r}')
    folder, failures = VersaFolder(out), []
    for item in items:
        source = item.prompt_audio if against == "prompt" else item.target
        if source is None:
            raise ValueError(f"{item.id} has no recording of its text: use the prompt instead")
        try:
            output = synthesize(item)
            if output is None:
                failures.append((item.id, "", "there is no output"))
                continue
            reference = _copy(source, Path(out) / "reference" / f"{safe_file_name(item.id)}.wav")
        except ValueError as error:
            failures.append((item.id, "", reason(error)))
            continue
        folder.add(item.id, {"id": item.id}, *output, reference, item.text)
    return VersaExport([folder.finish()], failures)


def export_run(run: str | Path, out: str | Path) -> VersaExport:
    """What a finished `catok evaluate` run scored: `export_systems` on its data with its systems.

    Audio is computed again, as a run keeps none. Raises ValueError where `run` is no such folder,
    or its data or systems are no longer there, or its recordings have changed since.
    """
    path = Path(run, "run.json")
    try:
        record = read_json(path)
        data, selection = record["settings"]["data"], record["settings"]["selection"]
        texts = [system["text"] for system in record["systems"]]
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{run} is no finished evaluation: no good run.json ({error})") from error
    listed = read_recordings(data, leave_out=Path(run))
    recordings = select_recordings(listed, read_config(Selection, selection, str(path)))
    check_unchanged(recordings, RowFile(Path(run, ROWS), row_key).rows)
    return export_systems(recordings, [build_system(text) for text in texts], out)


def export_systems(
    recordings: Sequence[EvalRecording], systems: Sequence[System], out: str | Path
) -> VersaExport:
    """What systems make of recordings: OUT/SYSTEM@SETTING/ for each, OUT/reference/ for all.

    A recording that cannot be read, or that a system cannot code, is among the failures.
    """
    out = Path(out)
    folders: dict[tuple[str, str], VersaFolder] = {}
    failures = []
    for recording in recordings:
        try:
            audio, rate = recording.load()
        except (ValueError, OSError) as error:
            failures.append((recording.key, "", reason(error)))
            continue
        reference = _write_reference(
            out / "reference" / f"{safe_file_name(recording.stem)}.wav", audio, rate
        )
        for system in systems:
            try:
                for output in system.run(audio, rate):
                    row_key = (system.name, output.setting)
                    folder = folders.setdefault(row_key, VersaFolder(out / _folder_name(*row_key)))
                    identity = {"key": recording.key, "system": row_key[0], "setting": row_key[1]}
                    values = (output.audio, rate, reference, recording.text)
                    folder.add(recording.stem, identity, *values)
            except (ValueError, RuntimeError, OSError) as error:
                failures.append((recording.key, system.name, reason(error)))
    if not folders:
        raise ValueError(f"nothing to score: {failures[0][2] if failures else 'no systems'}")
    return VersaExport([folder.finish() for folder in folders.values()], failures)


def _folder_name(system: str, setting: str) -> str:
    return f"{safe_file_name(system)}@{safe_file_name(setting)}"


def _copy(source: Path, target: Path) -> Path:
    return _write_reference(target, *load_audio(source))


def _write_reference(target: Path, audio: Tensor, rate: int) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    save_audio(target, audio, rate, subtype="PCM_16")
    return target.absolute()


def _write_table(path: Path, values: Mapping[str, Any]) -> None:
    _write(path, (f"{key} {value}" for key, value in values.items()))


def _write(path: Path, lines: Iterator[str]) -> None:
    with replacing(path) as temporary:
        text = "".join(f"{line}\n" for line in lines)
        Path(temporary).write_bytes(text.encode(errors="surrogateescape"))  # paths may be any bytes
