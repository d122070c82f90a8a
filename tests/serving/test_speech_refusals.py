"""What `/v1/audio/speech` refuses, and how it says so."""

import base64
import io
import json

import pytest
import torch

from catok import Encoded
from tests.lm.tts.conftest import voice
from tests.serving.client import ask
from tests.serving.speech_requests import URL, as_file, asked


def test_what_does_not_fit_is_refused_in_openais_shape(models):
    wrong = [
        ({"text": " "}, "input"),
        ({"text": "a" * 5000}, "input"),
        ({"voice": "nobody"}, "voice"),
        ({"voice": {"id": "nobody"}}, "voice"),
        ({"response_format": "midi"}, "response_format"),
        ({"speed": 9}, "speed"),
        ({"seed": -1}, "seed"),
        ({"stream_format": "x"}, "stream_format"),
        ({"ref_audio": "!!"}, "ref_audio"),
        ({"ref_audio": "http://127.0.0.1/x.wav"}, "ref_audio"),
        ({"ref_audio": "file:///etc/passwd"}, "ref_audio"),
        ({"ref_audio": base64.b64encode(b"no sound").decode()}, "ref_audio"),
        ({"ref_audio": base64.b64encode(as_file(voice(0.1))).decode()}, "ref_audio"),
        ({"references": [{"vq_codes": [[1], [2, 3]]}]}, "references"),
        ({"references": [{"vq_codes": [[2**70]]}]}, "references"),
        ({"references": [{"audio_path": "/etc/passwd"}]}, "references"),
        ({"num_quantizers": 99}, None),
        ({"references": [{"vq_codes": [[999]] * 4}]}, None),
    ]

    async def talk(client):
        return [await client.post(URL, json=asked(**fields)) for fields, _ in wrong]

    for answer, (fields, param) in zip(ask(models, talk), wrong, strict=True):
        assert answer.status_code == 400, (fields, answer.text)
        error = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["type"] == "invalid_request_error" and error["message"]
        assert error["param"] == param, (fields, error)
        assert answer.headers["x-request-id"].startswith("req_")


def test_a_server_without_a_voice_says_so(models):
    from catok.serving.models import Models

    bare = Models(models.tokenizer)

    async def talk(client):
        return [
            await client.post(URL, json=asked()),
            await client.get("/v1/audio/voices"),
            await client.post("/v1/audio/transcriptions", files={"file": as_file(voice())}),
        ]

    for answer in ask(bare, talk):
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "model_not_found"


def test_codes_of_another_model_are_refused(models):
    other = Encoded(
        torch.zeros(1, 4, 20, dtype=torch.int64),
        torch.tensor([20 * 1920]),
        24_000,
        1,
        1920,
        64,
        weight_hash="1" * 16,
    )
    file = io.BytesIO()
    other.save(file)
    fields = asked(ref_codes=base64.b64encode(file.getvalue()).decode())

    async def talk(client):
        return await client.post(URL, json=fields)

    answer = ask(models, talk)
    assert answer.status_code == 400 and "another model" in answer.json()["error"]["message"]


@pytest.mark.parametrize("fields", [{"bitrate": float("inf")}, {"sample_rate": 12_345}])
@pytest.mark.parametrize("stream", [{}, {"stream": True}, {"stream_format": "sse"}])
def test_what_cannot_be_is_said_before_the_answer_begins(models, fields, stream):
    async def talk(client):
        body = json.dumps(asked(response_format="opus") | fields | stream)
        return await client.post("/v1/audio/speech", content=body)

    assert ask(models, talk).status_code == 400
