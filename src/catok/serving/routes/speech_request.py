"""What is asked of speech, and what becomes of it: voices to codes, fields to a `SpeechRequest`."""

import io
import math
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field
from torch import Tensor

from catok.codes import Encoded
from catok.lm.sampler import draw_seeds
from catok.lm.sampling import SamplingConfig
from catok.lm.tts.request import Reference as SpeechReference
from catok.lm.tts.request import SpeechRequest
from catok.lm.tts.synthesizer import Synthesizer
from catok.serving.errors import ApiError
from catok.serving.fetching import from_base64, read_source
from catok.serving.routes.tokens import check_size, code_rows
from catok.serving.service import Service
from catok.serving.shaping import FASTEST, SLOWEST, AudioShaper

PCM_RATE = 24_000  # what clients take bare samples to be, unless they ask otherwise

Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm", "cat"]
Text = Annotated[str | None, Field(max_length=4096)]


def _voice_name(value: Any) -> Any:
    return value.get("id") if isinstance(value, dict) else value


class Reference(BaseModel):
    """A recording of a voice: its audio, or its codes, and what is said in it."""

    data: str | None = None
    audio_path: str | None = None
    text: Text = None
    vq_codes: list[Any] | None = None  # [K][F], looked at once its size is known


class SpeechBody(BaseModel):
    """Fields that OpenAI has, and those that other servers and we add; others are ignored."""

    input: str
    model: str | None = None
    voice: Annotated[str | None, BeforeValidator(_voice_name)] = None
    speaker: str | None = None
    response_format: Format = "mp3"
    speed: float = Field(1.0, ge=SLOWEST, le=FASTEST)
    instructions: Text = None
    stream_format: Literal["audio", "sse"] | None = None
    stream: bool = False
    language: str | None = Field(None, max_length=64)
    ref_audio: str | None = None
    ref_text: Text = None
    ref_codes: str | None = None
    references: list[Reference] | None = Field(None, max_length=8)
    mode: Literal["clone", "continuation", "both"] | None = None
    seed: int | None = Field(None, ge=0, lt=2**63)
    num_quantizers: int | None = Field(None, ge=1)
    bitrate: float | None = Field(None, gt=0, allow_inf_nan=False)
    sample_rate: int | None = Field(None, ge=8000, le=96_000)
    max_new_tokens: int | None = Field(None, ge=1)
    max_seconds: float | None = Field(None, gt=0)
    token_count: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=100)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0)
    repetition_penalty: float | None = Field(None, ge=0.01, le=100)
    guidance: float | None = Field(None, ge=0, le=10)
    text_temperature: float | None = Field(None, ge=0, le=100)
    pause: float = Field(0.25, ge=0, le=10)


def check_text(text: str, service: Service) -> None:
    """Raises ApiError on nothing to say, and on too much."""
    most = service.config.max_text_length
    if not text.strip():
        raise ApiError(400, "input: there is no text to speak", param="input")
    if len(text) > most:
        raise ApiError(400, f"input: at most {most} characters, got {len(text)}", param="input")


def shaper_of(service: Service, body: SpeechBody) -> AudioShaper:
    """From the model's audio to what was asked for; bare samples are 24 kHz mono unless asked."""
    synth = service.need_synthesizer()
    bare = body.response_format == "pcm"
    rate = body.sample_rate or (PCM_RATE if bare else None)
    channels = synth.tokenizer.channels
    return AudioShaper(synth.sample_rate, channels, rate, 1 if bare else None, body.speed)


async def speech_request(service: Service, body: SpeechBody, upload: bytes | None) -> SpeechRequest:
    """What the synthesizer is asked, with every reference as codes."""
    synth = service.need_synthesizer()
    depth = quantizers(body, synth)
    codes, text = await _voice(service, body, upload)
    config = service.config
    seconds = min(config.max_seconds, body.max_seconds or config.max_seconds)
    if body.max_new_tokens is not None:
        seconds = min(seconds, body.max_new_tokens / synth.tokenizer.frame_rate)
    return SpeechRequest(
        body.input,
        reference=codes,
        reference_text=text,
        mode=body.mode if codes is not None else None,
        num_quantizers=depth,
        sampling=_sampling(body, synth.sampling),
        seed=draw_seeds(1)[0] if body.seed is None else body.seed,
        max_seconds=seconds,
        instruction=body.instructions or None,
        language=body.language or None,
        tokens=body.token_count,
    )


def quantizers(body: SpeechBody, synth: Synthesizer) -> int | None:
    """Codebooks, asked for by number or by bitrate in bits per second."""
    if body.num_quantizers is not None or body.bitrate is None:
        synth.resolve_num_quantizers(body.num_quantizers)
        return body.num_quantizers
    tokenizer = synth.tokenizer
    each = math.log2(tokenizer.codebook_size) * tokenizer.frame_rate
    return max(1, min(synth.num_quantizers, int(body.bitrate / each + 1e-9)))


async def _voice(
    service: Service, body: SpeechBody, upload: bytes | None
) -> tuple[SpeechReference | list[SpeechReference | None] | None, str | None]:
    """Codes and words of the voice that is asked for; one reference per speaker, if several."""
    if body.references:
        references = [await _reference(service, each) for each in body.references]
        if len(references) > 1:
            return list(references), None
        return references[0], body.references[0].text
    if upload is not None:
        return await _recording(service, upload, "ref_audio"), body.ref_text
    if body.ref_codes is not None:
        data = from_base64(body.ref_codes, "ref_codes")
        encoded = await service.off_loop(lambda: Encoded.load(io.BytesIO(data)))
        service.need_synthesizer().tokenizer.check_code_space(encoded)
        return encoded.codes[0], body.ref_text
    if body.ref_audio is not None:
        data = await read_source(body.ref_audio, "ref_audio", service.config)
        return await _recording(service, data, "ref_audio"), body.ref_text
    service.need_synthesizer()
    assert service.voices is not None
    voice = service.voices.find(body.voice or body.speaker)
    return (None, None) if voice is None else (voice.tensor(), voice.text or None)


async def _reference(service: Service, reference: Reference) -> Tensor:
    if reference.vq_codes is not None:
        depth = service.need_synthesizer().tokenizer.num_quantizers
        check_size(service, reference.vq_codes, depth, "references")
        return code_rows(reference.vq_codes, "references")
    source = reference.data or reference.audio_path
    if source is None:
        raise ApiError(400, "a reference needs data or vq_codes", param="references")
    data = await read_source(source, "references", service.config)
    return await _recording(service, data, "references")


async def _recording(service: Service, data: bytes, param: str) -> Tensor:
    if not data:
        raise ApiError(400, f"{param} is empty", param=param)
    try:
        return await service.reference_of_file(io.BytesIO(data))
    except ValueError as error:
        raise ApiError(400, f"{param}: {error}", param=param) from None


def _sampling(body: SpeechBody, default: SamplingConfig) -> SamplingConfig:
    wanted = {
        "audio_temperature": body.temperature,
        "audio_top_p": body.top_p,
        "audio_top_k": body.top_k,
        "audio_repetition_penalty": body.repetition_penalty,
        "text_temperature": body.text_temperature,
        "guidance": body.guidance,
    }
    return replace(default, **{name: value for name, value in wanted.items() if value is not None})
