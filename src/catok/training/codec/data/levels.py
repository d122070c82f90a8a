"""Level of a crop: a random gain, or a random loudness, as far as nothing clips."""

from torch import Tensor

from catok.training.codec.data.data_config import DataConfig

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
