"""Recordings as the padded batch that the model takes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from transformers import BatchFeature
from transformers.feature_extraction_utils import FeatureExtractionMixin

Audio = np.ndarray | Sequence[float] | Sequence[Sequence[float]]


class CatokFeatureExtractor(FeatureExtractionMixin):
    """Pads recordings to whole frames: `input_values` `[B, C, T]` and `padding_mask` `[B, T]`.

    `feature_size`: channels; `hop_length`: samples per frame. The mask holds 1 for every sample
    given, so that no partial frame is lost.
    """

    model_input_names = ["input_values", "padding_mask"]  # noqa: RUF012

    def __init__(
        self,
        feature_size: int = 1,
        sampling_rate: int = 24_000,
        padding_value: float = 0.0,
        hop_length: int = 1920,
        **kwargs: Any,
    ) -> None:
        self.feature_size, self.sampling_rate = feature_size, sampling_rate
        self.padding_value, self.hop_length = padding_value, hop_length
        super().__init__(**kwargs)

    def __call__(
        self,
        raw_audio: Audio | Sequence[Audio],
        padding: bool | str | None = None,
        truncation: bool | None = False,
        max_length: int | None = None,
        return_tensors: str | None = None,
        sampling_rate: int | None = None,
    ) -> BatchFeature:
        """One recording or a list of them, each `[T]` for mono or `[C, T]`, floats in [-1, 1].

        `max_length` in samples with `truncation` cuts longer recordings; with
        `padding="max_length"` it pads shorter ones. Raises ValueError on another rate, number of
        channels or shape, and where padding is off but lengths differ.
        """
        if sampling_rate is not None and sampling_rate != self.sampling_rate:
            raise ValueError(
                f"the model works at {self.sampling_rate} Hz, the audio has {sampling_rate} Hz: "
                "resample it first (catok.load_audio does)"
            )
        recordings = [self._recording(audio) for audio in self._batch(raw_audio)]
        if truncation and max_length is not None:
            recordings = [audio[:, :max_length] for audio in recordings]
        lengths = [audio.shape[1] for audio in recordings]
        if padding in (False, "do_not_pad") and len(set(lengths)) > 1:
            raise ValueError(f"recordings of {lengths} samples need padding=True to be one batch")
        longest = max_length if padding == "max_length" and max_length else max(lengths)
        total = -(-longest // self.hop_length) * self.hop_length
        shape = (len(recordings), self.feature_size, total)
        values = np.full(shape, self.padding_value, dtype=np.float32)
        mask = np.zeros((len(recordings), total), dtype=np.int64)
        for row, audio in enumerate(recordings):
            length = min(audio.shape[1], total)
            values[row, :, :length] = audio[:, :length]
            mask[row, :length] = 1
        data = {"input_values": values, "padding_mask": mask}
        return BatchFeature(data, tensor_type=return_tensors)

    def _batch(self, raw_audio: Any) -> list[Any]:
        if isinstance(raw_audio, np.ndarray) or hasattr(raw_audio, "detach"):
            return [raw_audio] if raw_audio.ndim < 3 else list(raw_audio)
        if not raw_audio:
            raise ValueError("no audio: give at least one recording")
        return list(raw_audio) if np.ndim(raw_audio[0]) else [raw_audio]

    def _recording(self, audio: Any) -> np.ndarray:
        array = np.asarray(audio)
        if array.dtype.kind != "f":
            raise ValueError(
                f"a recording must be floats in [-1, 1], got {array.dtype}: divide by full scale "
                "(32768 for int16)"
            )
        array = array.astype(np.float32)
        array = array[None] if array.ndim == 1 else array
        if array.ndim != 2 or array.shape[0] != self.feature_size or not array.shape[1]:
            raise ValueError(
                f"a recording must be [{self.feature_size}, T] with T at least 1, got shape "
                f"{list(array.shape)}"
            )
        return array
