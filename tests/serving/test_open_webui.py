"""The requests that open-webui sends to the server that it is told to speak and listen by.

As of `backend/open_webui/routers/audio.py`, November 2026: the package itself is too large for
tests.
"""

import io

import httpx2 as httpx
import pytest

from catok import load_audio
from tests.serving.client import running
from tests.serving.conftest import noise
from tests.serving.test_tokens import as_wav

HEADERS = {"Authorization": "Bearer none"}


@pytest.fixture(scope="module")
def client(models):
    with (
        running(models) as (address, _),
        httpx.Client(base_url=f"{address}/v1", headers=HEADERS, timeout=60) as client,
    ):
        yield client


def test_speech(client):
    body = {"input": "A bed.", "model": "tts-1", "voice": "alloy"}
    answer = client.post("/audio/speech", json=body)
    assert answer.status_code == 200 and answer.headers["content-type"] == "audio/mpeg"
    assert load_audio(io.BytesIO(answer.content))[0].shape[1] > 0


@pytest.mark.parametrize("language", ["en", None])
def test_transcription(client, language):
    """The form has no length: the file comes in pieces, after the fields."""
    fields = {"model": "whisper-1"} | ({"language": language} if language else {})

    def form():
        for name, value in fields.items():
            head = f'Content-Disposition: form-data; name="{name}"'
            yield f"--b\r\n{head}\r\n\r\n{value}\r\n".encode()
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
        yield b"Content-Type: application/octet-stream\r\n\r\n"
        data = as_wav(noise(24_000))
        for start in range(0, len(data), 10_000):
            yield data[start : start + 10_000]
        yield b"\r\n--b--\r\n"

    kind = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post("/audio/transcriptions", content=form(), headers=kind)
    assert answer.status_code == 200 and isinstance(answer.json()["text"], str)


def test_errors_are_shown(client):
    """Of an answer that is none, it shows `error.message`."""
    answer = client.post("/audio/speech", json={"input": "A bed.", "voice": "nobody"})
    assert answer.status_code == 400 and "nobody" in answer.json()["error"]["message"]
