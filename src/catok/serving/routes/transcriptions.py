"""`/v1/audio/transcriptions`: speech to text."""

import io
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field, field_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from torch import Tensor

from catok.codes import Encoded
from catok.io.cat_file import is_cat_file
from catok.lm.asr.decoding_config import DecodingConfig
from catok.lm.asr.segments import Segment, join_segments
from catok.lm.asr.subtitles import subrip, webvtt
from catok.serving.answers import LiveResponse, event
from catok.serving.bodies import checked, fields_of, is_form, read_form, upload_of
from catok.serving.errors import ApiError, as_api_error
from catok.serving.metrics import Metrics
from catok.serving.routes.common import ServiceOf, enter, metrics_of, note_text
from catok.serving.service import Service, too_long

router = APIRouter()


class TranscriptionBody(BaseModel):
    """Fields of OpenAI, and some of ours; others are ignored.

    `prompt`, `language` and `temperature` are taken and change nothing: the model asks for none.
    """

    model: str | None = None
    language: str | None = Field(None, max_length=64)
    prompt: str | None = Field(None, max_length=10_000)
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] = "json"
    temperature: float = Field(0.0, ge=0, le=1)
    timestamp_granularities: list[Literal["word", "segment"]] = []
    stream: bool = False
    method: Literal["beam", "greedy", "ctc"] = "beam"
    beam: int = Field(4, ge=1, le=16)
    num_quantizers: int | None = Field(None, ge=1)

    @field_validator("timestamp_granularities", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


@router.post("/v1/audio/transcriptions")
async def transcriptions(request: Request, service: ServiceOf) -> Response:
    """Write down what is said in an audio file, or in a `.cat` file."""
    if not is_form(request):
        raise ApiError(400, "send a multipart form with the recording as file", param="file")
    await enter(request, "transcription")
    form = await read_form(request, service.config)
    file = upload_of(form, "file")
    if file is None:
        raise ApiError(400, "the form holds no file: send the recording as file", param="file")
    body = checked(TranscriptionBody, fields_of(form))
    config = decoding_config(body, service)
    segments = _segments(request, service, file.file, config)  # type: ignore[arg-type]
    request.state.resources.push_async_callback(segments.aclose)
    if body.stream:
        first = await anext(segments, None)  # until here an error is still an answer
        return LiveResponse(_events(segments, first, service), media_type="text/event-stream")
    finished = [segment async for segment in segments]
    return _answer(finished, body, service)


def decoding_config(body: TranscriptionBody, service: Service) -> DecodingConfig:
    """How to recognise. Raises ApiError on what the model cannot do."""
    recognizer = service.need_recognizer()
    wants_words = "word" in body.timestamp_granularities
    if wants_words and not recognizer.has_ctc:
        raise ApiError(400, "this model gives no times of words", param="timestamp_granularities")
    subtitles = body.response_format in ("srt", "vtt", "verbose_json") and recognizer.has_ctc
    config = DecodingConfig(
        method=body.method,
        beam=body.beam,
        timestamps=wants_words or subtitles,
        num_quantizers=body.num_quantizers,
    )
    recognizer.resolve_num_quantizers(config)
    return config


async def _segments(
    request: Request, service: Service, file: Any, config: DecodingConfig
) -> AsyncGenerator[Segment, None]:
    recognizer = service.need_recognizer()
    tokenizer = recognizer.tokenizer
    metrics = metrics_of(request)
    file.seek(0)
    if file.read(1) == b"":
        raise ApiError(400, "file is empty", param="file")
    file.seek(0)
    if is_cat_file(file):
        data = file.read()
        encoded = await service.off_loop(lambda: Encoded.load(io.BytesIO(data)))
        if float(encoded.duration) > service.config.max_audio_seconds:
            raise too_long(service.config.max_audio_seconds)
        metrics.audio.labels("transcription").inc(float(encoded.duration))
        recognized = service.transcribe_codes(encoded, config)
    else:
        source = service.read(file, tokenizer.sample_rate, tokenizer.channels)
        recognized = service.transcribe(_counted(source, tokenizer.sample_rate, metrics), config)

    async with aclosing(recognized) as segments:
        async for segment in segments:
            note_text(request, "transcript", segment.transcript.text)
            yield segment


async def _counted(
    source: AsyncGenerator[Tensor, None], sample_rate: int, metrics: Metrics
) -> AsyncGenerator[Tensor, None]:
    async with aclosing(source) as blocks:
        async for block in blocks:
            metrics.audio.labels("transcription").inc(block.shape[1] / sample_rate)
            yield block


def _answer(segments: list[Segment], body: TranscriptionBody, service: Service) -> Response:
    transcript, seconds = join_segments(segments), segments[-1].end
    kind = body.response_format
    if kind == "text":
        return PlainTextResponse(transcript.text + "\n")
    if kind == "srt":
        return PlainTextResponse(subrip(transcript, seconds), media_type="application/x-subrip")
    if kind == "vtt":
        return PlainTextResponse(webvtt(transcript, seconds), media_type="text/vtt")
    usage = {"type": "duration", "seconds": round(seconds, 3)}
    if kind == "json":
        return JSONResponse({"text": transcript.text, "usage": usage})
    languages = service.need_recognizer().languages
    answer: dict[str, Any] = {
        "task": "transcribe",
        "language": body.language or (languages[0] if len(languages) == 1 else ""),
        "duration": round(seconds, 3),
        "text": transcript.text,
        "segments": [_segment(number, each) for number, each in enumerate(segments)],
        "usage": usage,
    }
    if "word" in body.timestamp_granularities:
        answer["words"] = [
            {"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3)}
            for word in transcript.words or ()
        ]
    return JSONResponse(answer)


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    tokens = segment.transcript.tokens
    return {
        "id": number,
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "text": segment.transcript.text,
        "tokens": list(tokens),
        "avg_logprob": round(segment.transcript.log_prob / (len(tokens) + 1), 4),
    }


async def _events(
    segments: AsyncGenerator[Segment, None], first: Segment | None, service: Service
) -> AsyncGenerator[bytes, None]:
    """`transcript.text.delta` for each segment, then `transcript.text.done`."""
    from catok.lm.asr.transcript import join_texts

    text, seconds = "", 0.0
    try:
        segment = first
        while segment is not None:
            longer = join_texts([text, segment.transcript.text])
            if longer != text:
                yield event({"type": "transcript.text.delta", "delta": longer[len(text) :]})
            text, seconds = longer, segment.end
            segment = await anext(segments, None)
        usage = {"type": "duration", "seconds": round(seconds, 3)}
        yield event({"type": "transcript.text.done", "text": text, "usage": usage})
    except Exception as error:
        yield event({"type": "error", **as_api_error(error).body()})
