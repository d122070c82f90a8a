"""One crop of a recording: audio at the wanted rate and level, and the text wholly inside it."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from catok.audio import load_crop, mix
from catok.data.tar import open_reference
from catok.io.files import reason
from catok.training.codec.data.batch import TrainingRow
from catok.training.codec.data.cuts import (
    FILE,
    MEMORY,
    TAR,
    UNREADABLE,
    band_edge_of,
    recording_of,
    task_of,
)
from catok.training.codec.data.data_config import DataConfig

if TYPE_CHECKING:
    from lhotse import AudioSource
    from lhotse.cut.data import DataCut as Cut


_ROUNDING = 0.01  # seconds by which manifests may be off where a supervision meets a crop's edge
_MISSING = 0.1  # seconds that may be missing from a recording before it counts as truncated


@dataclass(frozen=True)
class Crop:
    """Seconds `offset` to `offset + seconds` of a cut; `level_quantile` (0 to 1): its level."""

    cut: Cut
    offset: float
    seconds: float
    level_quantile: float


def random_crop(cut: Cut, seconds: float, rng: random.Random) -> Crop:
    """A crop of `seconds` from anywhere in the cut; the whole cut if it is no longer."""
    offset = rng.uniform(0, max(0.0, cut.duration - seconds))
    return Crop(cut, offset, seconds, rng.random())


@dataclass(frozen=True)
class CropReader:
    """Reads crops at `sample_rate` Hz with `channels`, at the level that `config` asks for."""

    config: DataConfig
    sample_rate: int
    channels: int

    def read(self, crop: Crop) -> TrainingRow:
        """The crop's row. Its audio `[C, n]` is shorter than the crop where the recording ends.

        Raises ValueError when the audio is missing, empty, not audio, truncated or not finite.
        """
        cut = crop.cut
        expected = min(crop.seconds, cut.duration - crop.offset)
        audio = self._audio(crop, expected)
        missing = expected - audio.shape[1] / self.sample_rate
        if missing > _MISSING:
            raise ValueError(
                f"{cut.id} lacks {missing:.2f} of its {cut.duration:g} s: it is truncated, or its "
                "manifest is wrong"
            )
        text = crop_text(cut, crop.offset, crop.seconds)
        return TrainingRow(
            with_level(audio, self.config, crop.level_quantile),
            band_edge_of(cut),
            text,
            task_of(cut),
        )

    def _audio(self, crop: Crop, expected: float) -> Tensor:
        cut = crop.cut
        recording = recording_of(cut)
        inside = cut.start + cut.duration < recording.duration - 1e-3
        wanted = cut.channel if isinstance(cut.channel, list) else [cut.channel]
        stated = recording.channel_ids or [0]
        choose = len(stated) > len(wanted)
        with _opened(recording.sources[0], str(cut.id)) as file:
            audio = load_crop(
                file,
                cut.start + crop.offset,
                expected if inside else crop.seconds,
                sample_rate=self.sample_rate,
                channels=len(stated) if choose else self.channels,
            )
        if choose:
            rows = [stated.index(channel) for channel in wanted]
            audio = mix(audio[rows], self.channels)
        return audio


def crop_text(cut: Cut, offset: float, seconds: float) -> str | None:
    """The words of a crop, in the order in which they start.

    None where there are none, where a supervision is cut in part, or where one that is inside
    states no text: a text that lacks words teaches a model to leave words out.
    """
    texts: list[str] = []
    begin, end = max(0.0, offset), min(cut.duration, offset + seconds)
    for supervision in sorted(cut.supervisions, key=lambda s: s.start):
        if supervision.end <= begin + _ROUNDING or supervision.start >= end - _ROUNDING:
            continue
        whole = supervision.start >= begin - _ROUNDING and supervision.end <= end + _ROUNDING
        if not whole or supervision.text is None:
            return None
        texts.append(supervision.text.strip())
    return " ".join(filter(None, texts)) or None


class _Opened:
    """Context that gives what `load_crop` reads: a path, or a file object for bytes and tars."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> Any:
        return self._file

    def __exit__(self, *_: object) -> None:
        if isinstance(self._file, io.IOBase):
            self._file.close()


class _NamedBytes(io.BytesIO):
    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name

    def __str__(self) -> str:
        return self.name


def _opened(origin: AudioSource, name: str) -> _Opened:
    source: Any = origin.source
    if origin.type == FILE:
        return _Opened(source)
    if origin.type == UNREADABLE:
        raise ValueError(source)
    if origin.type == MEMORY:
        return _Opened(_NamedBytes(source, name))
    if origin.type == TAR:
        try:
            return _Opened(open_reference(source))
        except OSError as error:
            raise ValueError(f"{source} cannot be opened: {reason(error)}") from error
    raise ValueError(f"{name} comes from a {origin.type}: download or write it to a file first")


_SILENCE = 1e-4  # RMS, -80 dBFS: below lies noise that nobody wants to hear louder


def with_level(audio: Tensor, config: DataConfig, level_quantile: float) -> Tensor:
    """Audio `[C, n]` scaled as `config` asks; `level_quantile`, 0 to 1, is the place in its range.

    A gain or loudness that would clip is lowered until the peak is 1; silence stays as it is.
    """
    peak = max(float(audio.abs().max()), 1e-9)
    if config.loudness_db is None:
        return audio * min(_ratio(config.gain_db, level_quantile), max(1.0, 1 / peak))
    rms = float(audio.square().mean().sqrt())
    if rms < _SILENCE:
        return audio
    return audio * min(_ratio(config.loudness_db, level_quantile) / rms, 1 / peak)


def _ratio(limits: tuple[float, float], level_quantile: float) -> float:
    return 10 ** ((limits[0] + (limits[1] - limits[0]) * level_quantile) / 20)
