"""`/v1/audio/voices`: list, add and remove."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from catok.serving.bodies import fields_of, is_form, read_form, upload_of
from catok.serving.errors import ApiError
from catok.serving.routes.common import ServiceOf, enter
from catok.serving.service import Service
from catok.serving.voices import Voice, Voices

router = APIRouter()
LONGEST = 2000  # characters of a text field


@router.get("/v1/audio/voices")
async def listed(service: ServiceOf) -> dict[str, Any]:
    """All names that a request may give as `voice`."""
    voices = _voices(service)
    uploaded = [_voice_data(voice) for voice in voices.all() if voice.is_uploaded]
    aliases = voices.aliases()
    return {
        "object": "list",
        "voices": [*voices.names(), *aliases],
        "aliases": aliases,
        "data": [_voice_data(voice) for voice in voices.all()],
        "uploaded_voices": uploaded,
    }


@router.post("/v1/audio/voices")
async def add(request: Request, service: ServiceOf) -> Response:
    """Keep a recording as a voice. `consent`: the words with which the speaker agreed."""
    voices = _voices(service)
    if not is_form(request):
        raise ApiError(400, "send a multipart form with audio_sample, name and consent")
    await enter(request, "speech")
    form = await read_form(request, service.config)
    fields = {k: v for k, v in fields_of(form).items() if isinstance(v, str)}
    if any(len(value) > LONGEST for value in fields.values()):
        raise ApiError(400, f"a field is longer than {LONGEST} characters")
    consent = fields.get("consent", "").strip()
    if not consent:
        raise ApiError(
            400,
            "consent is missing: the words with which the speaker agreed to this voice's use",
            param="consent",
            code="consent_required",
        )
    name = voices.check_name(fields.get("name", "").strip())
    file = upload_of(form, "audio_sample", "file", "audio")
    if file is None:
        raise ApiError(400, "the form holds no audio_sample", param="audio_sample")
    codes = await service.reference_of_file(file.file)
    text = (fields.get("ref_text") or fields.get("text") or "").strip()
    language = fields.get("language", "").strip()
    voice = await service.off_loop(lambda: voices.add(name, codes, text, consent, language))
    return JSONResponse({**_voice_data(voice), "success": True, "voice": _voice_data(voice)})


@router.delete("/v1/audio/voices/{name}")
async def remove(name: str, service: ServiceOf) -> dict[str, Any]:
    """Forget a voice that was added, by name or id."""
    voices = _voices(service)
    voice = await service.off_loop(lambda: voices.remove(name))
    return {"id": voice.id, "object": "audio.voice.deleted", "deleted": True, "success": True}


def _voices(service: Service) -> Voices:
    service.need_synthesizer()
    assert service.voices is not None
    return service.voices


def _voice_data(voice: Voice) -> dict[str, Any]:
    return {
        "id": voice.id,
        "object": "audio.voice",
        "name": voice.name,
        "created_at": voice.created,
        "has_text": bool(voice.text),
        "consent": bool(voice.consent),
        "language": voice.language,
        "frames": len(voice.codes[0]),
    }
