"""`/v1/audio/speech`: text to speech, one text or several."""

import asyncio
import base64
import io
import math
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from typing import Annotated, Any, Literal

import torch
from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from torch import Tensor

from catok.codes import Encoded
from catok.lm.sampler import draw_seeds
from catok.lm.sampling import SamplingConfig
from catok.lm.tts.request import Reference as SpeechReference
from catok.lm.tts.request import SpeechRequest
from catok.lm.tts.synthesizer import Synthesizer
from catok.serving.answers import (
    CAT,
    LiveResponse,
    audio_headers,
    begun,
    saved,
    speech_events,
    stream_bytes,
    whole_audio,
)
from catok.serving.bodies import checked, fields_of, is_form, read_form, read_json, upload_of
from catok.serving.errors import ApiError, as_api_error
from catok.serving.fetching import from_base64, read_source
from catok.serving.formats import CONTENT_TYPES
from catok.serving.routes.common import ServiceOf, enter, metrics_of, note_text
from catok.serving.routes.tokens import check_size, code_rows
from catok.serving.service import Service, Utterance
from catok.serving.shaping import FASTEST, SLOWEST, AudioShaper

router = APIRouter()
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


@router.post("/v1/audio/speech")
async def speech(request: Request, service: ServiceOf) -> Response:
    """Speak a text: whole, as a stream of audio, or as server-sent events."""
    await enter(request, "speech")
    upload = None
    if is_form(request):
        form = await read_form(request, service.config)
        body = checked(SpeechBody, fields_of(form))
        file = upload_of(form, "ref_audio", "reference", "audio_sample")
        upload = None if file is None else await file.read()
    else:
        body = checked(SpeechBody, await read_json(request))
    check_text(body.input, service)
    note_text(request, "speech", body.input)
    asked = await speech_request(service, body, upload)
    utterance = service.speak(asked, pause=body.pause)
    request.state.resources.push_async_callback(utterance.aclose)
    shaper = shaper_of(service, body)
    metrics = metrics_of(request)
    headers = audio_headers(shaper, {"X-Seed": str(asked.seed)})

    async def counted() -> AsyncGenerator[Tensor, None]:
        synth = service.need_synthesizer()
        async for audio in utterance:
            metrics.audio.labels("speech").inc(audio.shape[1] / synth.sample_rate)
            yield audio

    audio = await begun(counted(), metrics.first_audio.observe)
    input_tokens = len(service.need_synthesizer().prompt_builder.text.encode(body.input))

    def usage() -> dict[str, Any]:
        made = utterance.output_tokens
        return {
            "input_tokens": input_tokens,
            "output_tokens": made,
            "total_tokens": input_tokens + made,
        }

    format = body.response_format
    if format == "cat":
        return await _as_codes(service, audio, utterance, headers)
    kind = body.stream_format or ("audio" if body.stream else None)
    if kind is None:
        answer = await whole_audio(service, audio, shaper, format, headers)
        for name, value in usage().items():
            answer.headers[f"X-Usage-{name.title().replace('_', '-')}"] = str(value)
        return answer
    parts = stream_bytes(audio, shaper, format)
    if kind == "sse":
        events = speech_events(parts, usage)
        return LiveResponse(events, media_type="text/event-stream", headers=headers)
    return LiveResponse(parts, media_type=CONTENT_TYPES[format], headers=headers)


async def _as_codes(
    service: Service, audio: AsyncIterator[Tensor], utterance: Utterance, headers: dict[str, str]
) -> Response:
    """The codes that the speech is made of, as a `.cat` file: its pieces without pauses."""
    async for _ in audio:
        pass
    tokenizer = service.need_synthesizer().tokenizer
    codes = torch.cat(utterance.columns, dim=1)
    lengths = torch.tensor([codes.shape[1] * tokenizer.frame_size], device="cpu")
    data = await service.off_loop(lambda: saved(tokenizer.encoded(codes[None], lengths)))
    return Response(data, media_type=CAT, headers=headers)


class BatchBody(BaseModel):
    """Several texts; the fields beside `items` are the defaults of each."""

    items: list[dict[str, Any]] = Field(min_length=1)


@router.post("/v1/audio/speech/batch")
async def batch(request: Request, service: ServiceOf) -> Response:
    """Speak several texts together. One that fails does not end the others."""
    await enter(request, "speech")
    fields = await read_json(request)
    items = checked(BatchBody, fields).items
    if len(items) > service.config.max_batch:
        raise ApiError(400, f"items: at most {service.config.max_batch} texts", param="items")
    shared = {name: value for name, value in fields.items() if name != "items"}
    results: list[dict[str, Any] | None] = [None] * len(items)

    async def one(index: int) -> None:
        try:
            body = checked(SpeechBody, {**shared, **items[index]})
            check_text(body.input, service)
            note_text(request, "speech", body.input)
            asked = await speech_request(service, body, None)
            utterance = service.speak(asked, pause=body.pause)
            try:
                if body.response_format == "cat":
                    raise ApiError(400, "a batch gives audio only", param="response_format")
                shaper = shaper_of(service, body)
                answer = await whole_audio(service, utterance, shaper, body.response_format, {})
            finally:
                await utterance.aclose()
            results[index] = {
                "index": index,
                "audio": base64.b64encode(bytes(answer.body)).decode(),
                "media_type": CONTENT_TYPES[body.response_format],
                "seed": asked.seed,
                "sample_rate": shaper.sample_rate,
            }
        except Exception as error:
            results[index] = {"index": index, **as_api_error(error).body()}

    async with asyncio.TaskGroup() as group:
        for index in range(len(items)):
            group.create_task(one(index))
    return JSONResponse({"object": "list", "results": results})


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
