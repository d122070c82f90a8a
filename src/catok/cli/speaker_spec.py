"""What `catok tts` speaks with, as a value that a worker process can be given."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from catok.cli import recordings
from catok.cli.arguments import DeviceName, DtypeName
from catok.cli.loading import load_speech
from catok.cli.speaking import Speaker, SpeakOptions
from catok.io.hub import embedded_models
from catok.lm.asr import Recognizer
from catok.lm.tts import SpeechRequest, Synthesizer
from catok.lm.tts.best_of_n import BestOfN

DEFAULT = "tiny-tts"


@dataclass(frozen=True)
class SpeakerSpec:
    """The models by name, and how everything is spoken: `sampling` are changes to the model's own,
    `asr` recognises `candidates` of each text where there are several.
    """

    model: str
    tokenizer: str | None
    device: DeviceName
    dtype: DtypeName
    request: SpeechRequest
    sampling: dict[str, Any]
    max_length: int
    pause: float
    asr: str
    candidates: int

    def build(self) -> Speaker:
        """Load the models. Raises ValueError where there are none, or they do not fit."""
        synth = load(self.model, self.tokenizer, self.device, self.dtype)
        request = replace(self.request, sampling=replace(synth.sampling, **self.sampling))
        best_of = None
        if self.candidates > 1:
            recognizer = load_speech(Recognizer, self.asr, None, self.device, "float32")
            best_of = BestOfN(recognizer, self.candidates)
        detail = recordings.bitrate(
            synth.tokenizer, synth.resolve_num_quantizers(request.num_quantizers)
        )
        options = SpeakOptions(request, self.max_length, self.pause)
        return Speaker(synth, options, best_of, detail)


def load(name: str, tokenizer: str | None, device: DeviceName, dtype: DtypeName) -> Synthesizer:
    """The synthesizer `name`. Raises ValueError that says what to do where there is no default."""
    if name == DEFAULT and not Path(name).is_dir() and name not in embedded_models():
        raise ValueError(
            f"this build of catok has no {DEFAULT} model in it: name one with --model, or train "
            "one with `catok train-lm`"
        )
    return load_speech(Synthesizer, name, tokenizer, device, dtype)
