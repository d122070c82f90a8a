"""Random crops of recordings listed in a manifest, each batch a pure function of seed and step.

A manifest is JSON lines, one recording each: `audio` (path, relative to the manifest), `duration`
(seconds), and optionally `domain` and `band_edge` (highest frequency in Hz that it carries). A
folder of audio files serves as well. Nothing is kept in memory beyond the batch, and a resumed run
draws what the uninterrupted one would have drawn.
"""

import json
import random
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import torch
from torch import Tensor

from catok.audio import audio_info, load_crop
from catok.training.config import DataConfig

AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif"}


@dataclass(frozen=True)
class Recording:
    """One file: `duration` in seconds, `band_edge` in Hz (infinite: unknown)."""

    path: Path
    duration: float
    domain: str = "speech"
    band_edge: float = float("inf")


@dataclass(frozen=True)
class Batch:
    """`audio` `[B, C, T]` float32 in [-1, 1] and `band_edges` `[B]` in Hz."""

    audio: Tensor
    band_edges: Tensor


def read_manifest(path: str | Path) -> list[Recording]:
    """The recordings of a JSON-lines manifest or of a folder.

    Raises ValueError on a missing path, a malformed line, or when nothing is found.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(f for f in path.rglob("*") if f.suffix.lower() in AUDIO_SUFFIXES)
        recordings = [Recording(f, audio_info(f).seconds) for f in files]
    elif path.is_file():
        recordings = [
            _recording(line, path, number)
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if line.strip()
        ]
    else:
        raise ValueError(f"no manifest or folder at {path}")
    if not recordings:
        raise ValueError(f"{path} lists no audio ({', '.join(sorted(AUDIO_SUFFIXES))})")
    return recordings


def _recording(line: str, manifest: Path, number: int) -> Recording:
    try:
        data = json.loads(line)
        edge = data.get("band_edge")
        return Recording(
            path=manifest.parent / data["audio"],
            duration=float(data["duration"]),
            domain=data.get("domain") or "speech",
            band_edge=float("inf") if edge is None else float(edge),
        )
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f'{manifest}, line {number}: needs {{"audio": ..., "duration": ...}} ({error!r})'
        ) from error


class CropSampler:
    """Draws batches of random crops; recordings are drawn in proportion to their duration."""

    def __init__(
        self,
        recordings: list[Recording],
        config: DataConfig,
        *,
        sample_rate: int,
        channels: int,
        frame_size: int,
        seed: int = 0,
    ) -> None:
        self.config = config
        self.sample_rate = sample_rate
        self.channels = channels
        frames = max(1, round(config.crop_seconds * sample_rate / frame_size))
        self.samples = frames * frame_size
        self.seed = seed
        kept = [r for r in recordings if r.band_edge >= config.min_band_edge]
        self.domains: dict[str, list[Recording]] = {}
        for recording in kept:
            if not config.domain_weights or recording.domain in config.domain_weights:
                self.domains.setdefault(recording.domain, []).append(recording)
        if not self.domains:
            raise ValueError("no recording passes domain_weights and min_band_edge")
        absent = set(config.domain_weights) - set(self.domains)
        if absent:
            raise ValueError(f"domain_weights names {sorted(absent)}, but no recording is of it")
        self._until = {
            name: list(accumulate(r.duration for r in group))
            for name, group in self.domains.items()
        }

    def batch(self, step: int) -> Batch:
        """The batch of a step, always the same for the same seed."""
        crops = [self._crop(random.Random(f"{self.seed}/{step}/{row}")) for row in self._rows()]
        audio = torch.stack([crop for crop, _ in crops])
        return Batch(audio, torch.tensor([edge for _, edge in crops]))

    def _rows(self) -> range:
        return range(self.config.batch_size)

    def _crop(self, draw: random.Random) -> tuple[Tensor, float]:
        names = list(self.domains)
        weights = [self.config.domain_weights.get(n, self._until[n][-1]) for n in names]
        domain = draw.choices(names, weights)[0]
        recording = draw.choices(self.domains[domain], cum_weights=self._until[domain])[0]
        seconds = self.samples / self.sample_rate
        offset = draw.uniform(0, max(0.0, recording.duration - seconds))
        audio = load_crop(
            recording.path,
            offset,
            seconds,
            sample_rate=self.sample_rate,
            channels=self.channels,
        )
        audio = torch.nn.functional.pad(audio, (0, self.samples - audio.shape[1]))
        gain = 10 ** (draw.uniform(*self.config.gain_db) / 20)
        peak = float(audio.abs().max())
        return audio * min(gain, max(1.0, 1 / max(peak, 1e-9))), recording.band_edge
