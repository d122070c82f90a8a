"""`/v1/audio/speech`: text to speech, one text or several."""

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import torch
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from torch import Tensor

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
from catok.serving.formats import CONTENT_TYPES
from catok.serving.routes.common import ServiceOf, enter, metrics_of, note_text
from catok.serving.routes.speech_request import SpeechBody, check_text, shaper_of, speech_request
from catok.serving.service import Service
from catok.serving.utterance import Utterance

router = APIRouter()


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
