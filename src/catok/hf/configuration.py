"""The configuration of a tokenizer, as transformers wants it."""

from typing import Any

from transformers import PreTrainedConfig

from catok.tokenizer.config import TokenizerConfig
from catok.tokenizer.native import is_native, read_native_config
from catok.tokenizer.released import read_released_config


class CatokConfig(PreTrainedConfig):
    """A `TokenizerConfig` under `tokenizer`, and the names that pipelines look for.

    Read from a folder of ours or a released one. Without arguments it is that of "tiny".
    """

    model_type = "catok"

    def __init__(self, tokenizer: dict[str, Any] | None = None, **kwargs: Any) -> None:
        for derived in ("sampling_rate", "hop_length", "num_quantizers", "audio_channels"):
            kwargs.pop(derived, None)
        config = (
            TokenizerConfig.preset("tiny")
            if tokenizer is None
            else TokenizerConfig.from_dict(tokenizer)
        )
        self.tokenizer = config.to_dict()
        self.sampling_rate = config.sample_rate
        self.hop_length = config.frame_size
        self.num_quantizers = config.quantizer.num_quantizers
        self.audio_channels = config.channels
        super().__init__(**kwargs)

    @property
    def tokenizer_config(self) -> TokenizerConfig:
        """The same as catok's own class."""
        return TokenizerConfig.from_dict(self.tokenizer)

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Read a config.json: ours, a released or native one, or `to_dict`'s output."""
        data = dict(config_dict)
        if isinstance(data.get("catok"), dict):
            data = {"tokenizer": data["catok"].get("tokenizer"), "dtype": data.get("dtype")}
        elif "encoder_kwargs" in data:
            config = read_released_config(data)
            data = {"tokenizer": config.to_dict(), "dtype": data.get("dtype")}
        elif is_native(data):
            config = read_native_config(data)
            data = {"tokenizer": config.to_dict(), "dtype": data.get("dtype")}
        return super().from_dict(data, **kwargs)
