"""The configuration of a speech synthesis model, as transformers wants it."""

from typing import Any

from transformers import PreTrainedConfig

from catok.lm.config import TokenLMConfig
from catok.lm.folder import KEY


class CatokSpeechConfig(PreTrainedConfig):
    """A `TokenLMConfig` under `token_lm`, and the rate that pipelines look for.

    Read from a folder of ours. Without arguments it is that of a small model.
    """

    model_type = "catok_tts"

    def __init__(self, token_lm: dict[str, Any] | None = None, **kwargs: Any) -> None:
        for derived in ("sampling_rate", "num_quantizers"):
            kwargs.pop(derived, None)
        config = (
            TokenLMConfig.preset("mini") if token_lm is None else TokenLMConfig.from_dict(token_lm)
        )
        self.token_lm = config.to_dict()
        self.sampling_rate = config.sampling_rate
        self.num_quantizers = config.n_vq
        super().__init__(**kwargs)

    @property
    def token_lm_config(self) -> TokenLMConfig:
        """The same as catok's own class."""
        return TokenLMConfig.from_dict(self.token_lm)

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Read a config.json of ours, or `to_dict`'s output."""
        data = dict(config_dict)
        if isinstance(data.get("catok"), dict):
            data = {"token_lm": data["catok"].get(KEY), "dtype": data.get("dtype")}
        return super().from_dict(data, **kwargs)
