"""Whisper tiny.en on many short clips: several at a time, in windows no longer than they need.

Whisper pads whatever it hears to 30 s, which for a clip of 2 s is nearly all of the work. Here the
window is 10, 16 or 30 s, weights are int8, and clips run in batches: 0.1 s a clip on one busy core,
against 0.5 s. A window other than 30 s is not what the model was trained with; it suffices where
what was heard is only compared with a script.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from catok import load_audio
from catok.evaluation.extras import import_extra
from catok.evaluation.preprocessing import METRIC_RATE, to_metric_rate
from catok.evaluation.transcribers.whisper import packaged_tiny

WINDOWS = (1000, 1600, 3000)  # mel frames of 10 ms
MARGIN = 100  # of them, at least, are silence
BEAM = 5
START, NO_TIMESTAMPS, TEXT = 50257, 50362, 50256  # tiny.en's ids; those below TEXT are text


class ShortClips:
    """Clips of at most 29 s -> what is said; longer ones are cut off."""

    def __init__(self) -> None:
        """Raises ValueError when faster-whisper or the packaged model is missing."""
        library = import_extra("faster_whisper")
        self.model = library.WhisperModel(
            str(packaged_tiny()), device="cpu", compute_type="int8", cpu_threads=1, num_workers=1
        )

    def transcribe(self, clips: Sequence[Path]) -> list[str]:
        """A text for every clip; clips of like length are best given together."""
        library = import_extra("ctranslate2")
        found = [self._features(clip) for clip in clips]
        needed = max(each.shape[1] for each in found) + MARGIN
        window = next((w for w in WINDOWS if w >= needed), WINDOWS[-1])
        mels = np.stack([self._fitted(each, window) for each in found])
        written = self.model.model.generate(
            library.StorageView.from_array(mels),
            [[START, NO_TIMESTAMPS]] * len(clips),
            beam_size=BEAM,
            max_length=100,
            suppress_blank=True,
        )
        texts = [[token for token in one.sequences_ids[0] if token < TEXT] for one in written]
        return [self.model.hf_tokenizer.decode(text).strip() for text in texts]

    def _features(self, clip: Path) -> np.ndarray:
        audio, rate = load_audio(clip)
        samples = np.asarray(to_metric_rate(audio[0], rate), dtype=np.float32)
        return self.model.feature_extractor(samples[: 30 * METRIC_RATE])

    @staticmethod
    def _fitted(mel: np.ndarray, window: int) -> np.ndarray:
        mel = mel[:, :window]
        silence = ((0, 0), (0, window - mel.shape[1]))
        return np.pad(mel, silence, constant_values=mel.min()).astype(np.float32)
