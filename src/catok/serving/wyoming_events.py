"""Events of the Wyoming protocol: how they are read, what they say of audio, what a server offers.

Every event is a line of JSON, then its data and its payload.
"""

import asyncio
import json
from typing import Any

from wyoming.audio import AudioFormat
from wyoming.event import Event
from wyoming.info import AsrModel, AsrProgram, Attribution, Info, TtsProgram, TtsVoice

from catok.serving.errors import ApiError
from catok.serving.service import Service

LONGEST_LINE = 64 << 10  # bytes
LONGEST_PART = 1 << 20  # bytes of data or payload
RATES = (4000, 192_000)  # Hz


async def read_event(reader: asyncio.StreamReader) -> Event | None:
    """The next event, None at the end. Raises ApiError on what is none, or too large."""
    try:
        line = await reader.readline()
        if not line:
            return None
        header = json.loads(line)
        kind, data = header["type"], header.get("data") or {}
        if not isinstance(kind, str) or not isinstance(data, dict):
            raise TypeError
        extra = await _part(reader, header.get("data_length"))
        payload = await _part(reader, header.get("payload_length"))
        more = json.loads(extra) if extra else {}
        return Event(kind, {**data, **more}, payload or None)
    except asyncio.IncompleteReadError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise ApiError(400, "this is no event of Wyoming") from None


async def _part(reader: asyncio.StreamReader, length: Any) -> bytes:
    if not length:
        return b""
    if not isinstance(length, int) or not 0 < length <= LONGEST_PART:
        raise ValueError("a part that is too long")
    return await reader.readexactly(length)


def audio_format(event: Event) -> AudioFormat:
    """Rate and channels of 16-bit samples. Raises ApiError on any other audio."""
    rate, width, channels = (event.data.get(name) for name in ("rate", "width", "channels"))
    if width != 2:
        raise ApiError(400, "audio must have samples of 16 bits: width 2")
    if not isinstance(rate, int) or not RATES[0] <= rate <= RATES[1]:
        raise ApiError(400, f"rate must be {RATES[0]} to {RATES[1]} Hz")
    if channels not in (1, 2):
        raise ApiError(400, "channels must be 1 or 2")
    return AudioFormat(rate=rate, width=width, channels=channels)


def describe(service: Service) -> Info:
    """What this server offers."""
    attribution = Attribution(name="catok", url="")
    common: dict[str, Any] = {
        "attribution": attribution,
        "installed": True,
        "description": None,
        "version": None,
    }
    info = Info()
    if service.models.synthesizer is not None and service.voices is not None:
        languages = list(service.models.synthesizer.languages) or ["en"]
        names = service.voices.names()
        voices = [TtsVoice(name=name, languages=languages, **common) for name in names]
        info.tts = [
            TtsProgram(name="catok", voices=voices, supports_synthesize_streaming=True, **common)
        ]
    if service.models.recognizer is not None:
        languages = list(service.models.recognizer.languages) or ["en"]
        model = AsrModel(name="catok", languages=languages, **common)
        info.asr = [AsrProgram(name="catok", models=[model], **common)]
    return info
