"""A real server: clients that exist, clients that go away, clients that mean ill."""

import io
import json
import socket
import threading
import time

import httpx2 as httpx
import openai
import pytest
import torch

from catok import load_audio
from catok.lm.sampling import SamplingConfig
from catok.lm.tts import Synthesizer
from catok.serving.models import Models
from tests.serving.client import running
from tests.serving.conftest import noise
from tests.serving.speech_requests import as_file, asked, close, expected, sound_of
from tests.serving.test_tokens import as_wav

pytestmark = pytest.mark.slow

ENDLESS = {"max_seconds": 3600.0}


@pytest.fixture(scope="module")
def server(models):
    with running(models) as (address, app):
        yield address, app


@pytest.fixture(scope="module")
def endless(models) -> Models:
    """A voice that never ends by itself."""
    synth = Synthesizer.__new__(Synthesizer)
    synth.__dict__ |= vars(models.synthesizer)
    synth.sampling = SamplingConfig(text_temperature=0.0)
    return Models(models.tokenizer, synth, models.recognizer, models.names)


def eventually(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.01)


def is_idle(app):
    """Nothing runs and nothing is held."""
    scheduler = app.state.service.scheduler
    jobs = [*scheduler.encoding.values(), *scheduler.decoding.values()]
    pools = [*scheduler.encoding, *scheduler.decoding]
    engines = scheduler.generation, scheduler.recognition
    gates = app.state.gates.values()
    return not (
        any(jobs)
        or any(map(len, pools))
        or scheduler.speaking
        or scheduler.recognizing
        or any(engine.busy for engine in engines)
        or any(gate.inside or gate.waiting for gate in gates)
    )


def test_the_openai_client_speaks_and_listens(server, models):
    address, app = server
    client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
    assert [model.id for model in client.models.list()] == list(models.names)
    how = {"model": "small-tts", "voice": "alloy", "input": "A bed.", "extra_body": {"seed": 1}}
    whole = client.audio.speech.create(response_format="wav", **how)
    wanted = expected(models)
    assert close(load_audio(io.BytesIO(whole.content))[0], wanted)
    with client.audio.speech.with_streaming_response.create(
        response_format="wav", **(how | {"extra_body": {"seed": 1, "stream": True}})
    ) as answer:
        parts = list(answer.iter_bytes())
    assert len(parts) > 1 and close(load_audio(io.BytesIO(b"".join(parts)))[0], wanted)
    with client.audio.speech.with_streaming_response.create(stream_format="sse", **how) as answer:
        kinds = [json.loads(line[6:])["type"] for line in answer.iter_lines() if line]
    assert kinds[-1] == "speech.audio.done" and set(kinds[:-1]) == {"speech.audio.delta"}
    file = ("a.wav", as_wav(noise(30_000)))
    text = client.audio.transcriptions.create(model="small-asr", file=file)
    verbose = client.audio.transcriptions.create(
        model="small-asr",
        file=file,
        response_format="verbose_json",
        timestamp_granularities=["word"],
    )
    stream = client.audio.transcriptions.create(model="small-asr", file=file, stream=True)
    *_, last = stream
    assert text.text == verbose.text == last.text and verbose.duration == 1.25
    with pytest.raises(openai.BadRequestError, match="no voice called"):
        client.audio.speech.create(model="small-tts", voice="nobody", input="A bed.")
    with pytest.raises(openai.BadRequestError, match="no text"):
        client.audio.speech.create(model="small-tts", voice="alloy", input=" ")
    eventually(lambda: is_idle(app))


def test_who_goes_away_is_forgotten(endless, caplog):
    with running(endless, **ENDLESS) as (address, app):
        engine = app.state.service.scheduler.generation
        for fields in ({"stream": True}, {"stream_format": "sse"}, {}):
            body = json.dumps(asked(**fields)).encode()
            with socket.create_connection(address_of(address)) as connection:
                connection.sendall(head("/v1/audio/speech", len(body)) + body)
                if fields:
                    assert connection.recv(100).startswith(b"HTTP/1.1 200")
                eventually(lambda: engine.running == 1)
            eventually(lambda: is_idle(app))
        upload = head("/v1/audio/encode", 10**6, "audio/pcm") + b"\0" * 40_000
        with socket.create_connection(address_of(address)) as connection:
            connection.sendall(upload)
            eventually(lambda: not is_idle(app))
        eventually(lambda: is_idle(app))
        for path in ("speech", "transcriptions", "decode", "encode", "voices"):  # half a body
            kind = "multipart/form-data; boundary=x" if path[-1] == "s" else "application/json"
            with socket.create_connection(address_of(address)) as connection:
                connection.sendall(head(f"/v1/audio/{path}", 1000, kind) + b"--x\r\n")
        with httpx.Client(base_url=address) as client:
            eventually(lambda: client.get("/metrics").text.count('status="gone"') >= 5)
            assert 'status="500"' not in client.get("/metrics").text
        assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_slow_reader_is_sent_away_and_holds_little(endless):
    with running(endless, write_seconds=0.5, **ENDLESS) as (address, app):
        (pool,) = app.state.service.scheduler.decoding
        body = json.dumps(asked(stream=True, sample_rate=96_000)).encode()
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(address_of(address))
            connection.sendall(head("/v1/audio/speech", len(body)) + body)
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
            eventually(lambda: is_idle(app), 60)
        with httpx.Client(base_url=address) as client:
            assert 'refused_total{reason="slow_reader"} 1.0' in client.get("/metrics").text
        assert len(pool) == 0


def test_the_door_lets_a_few_in_and_tells_the_others(endless):
    limits = {"speech_limit": 1, "queue_limit": 1, "queue_seconds": 0.3}
    with running(endless, **limits, **ENDLESS) as (address, app):
        gate = app.state.gates["speech"]
        with httpx.Client(base_url=address, timeout=20) as client:
            with client.stream("POST", "/v1/audio/speech", json=asked(stream=True)) as first:
                assert first.status_code == 200
                answers = []
                waiting = threading.Thread(
                    target=lambda: answers.append(
                        httpx.post(f"{address}/v1/audio/speech", json=asked(), timeout=20)
                    )
                )
                waiting.start()
                eventually(lambda: gate.waiting == 1)
                full = client.post("/v1/audio/speech", json=asked())
                waiting.join()
                codec = client.post("/v1/audio/encode", content=as_wav(noise(2000)))
            assert full.status_code == 429 and int(full.headers["retry-after"]) >= 1
            assert full.json()["error"]["type"] == "rate_limit_error"
            assert answers[0].status_code == 503 and "retry-after" in answers[0].headers
            assert codec.status_code == 200  # another queue
            eventually(lambda: is_idle(app))
            metrics = client.get("/metrics").text
            assert 'catok_refused_total{reason="rate_limit_exceeded"} 1.0' in metrics
            assert "a bed" not in metrics.lower()


def test_keys_sizes_and_times_are_bounded(models):
    limits = {"max_upload_megabytes": 0.1, "read_seconds": 0.4, "api_key": "secret"}
    with running(models, **limits) as (address, app):
        with httpx.Client(base_url=address) as client:
            for key in (None, "Bearer", "Bearer wrong", "Basic secret", "bearer secret"):
                headers = {"authorization": key} if key else {}
                answer = client.get("/v1/models", headers=headers)
                right = key == "bearer secret"
                assert answer.status_code == (200 if right else 401)
            assert client.get("/health").status_code == client.get("/ready").status_code == 200
        with httpx.Client(base_url=address, headers={"authorization": "Bearer secret"}) as client:
            big = client.post("/v1/audio/encode", content=b"\0" * 200_000)
            assert big.status_code == 413 and big.json()["error"]["code"] == "body_too_large"
            chunks = (b"\0" * 10_000 for _ in range(20))  # of no stated length
            kind = {"content-type": "audio/pcm"}
            try:
                chunked = client.post("/v1/audio/encode", content=chunks, headers=kind)
                assert chunked.status_code == 413
            except httpx.TransportError:  # closed while it still sent
                pass
        key = "authorization: Bearer secret\r\n"
        with socket.create_connection(address_of(address)) as connection:
            connection.sendall(head("/v1/audio/encode", 1000, "audio/pcm", key) + b"\0\0")
            assert connection.recv(100).startswith(b"HTTP/1.1 408")
        eventually(lambda: is_idle(app))


def test_a_body_that_trickles_holds_no_place(models):
    with running(models, read_seconds=0.3) as (address, app):
        with socket.create_connection(address_of(address)) as connection:
            connection.sendall(head("/v1/audio/encode", 10**6, "audio/pcm"))
            connection.settimeout(0.05)
            answer = b""
            for _ in range(100):
                connection.sendall(b"\0\0")
                try:
                    answer = connection.recv(100)
                    break
                except TimeoutError:
                    continue
            assert answer.startswith(b"HTTP/1.1 408")
        eventually(lambda: is_idle(app))


def test_half_a_request_is_not_waited_for(models, monkeypatch):
    monkeypatch.setattr("catok.serving.server.KEEP_ALIVE", -0.8)
    with (
        running(models, read_seconds=0.2) as (address, _),
        socket.create_connection(address_of(address)) as connection,
    ):
        connection.sendall(b"POST /v1/audio/speech HTTP/1.1\r\nhost: ")
        connection.settimeout(5)
        assert connection.recv(100) == b""  # closed


def test_stopping_finishes_what_runs_and_lets_nobody_in(models):
    audio = noise(24_000 * 30)
    with running(models) as (address, app):
        found = []

        def work():
            found.append(
                httpx.post(f"{address}/v1/audio/encode", content=as_wav(audio), timeout=30)
            )

        thread = threading.Thread(target=work)
        thread.start()
        eventually(lambda: app.state.gates["codec"].inside == 1)
    thread.join()  # the server has ended
    assert found[0].status_code == 200
    assert not app.state.service.scheduler.alive
    assert torch.is_tensor(audio)


def test_no_page_of_another_origin_may_ask_unless_it_is_listed(models):
    origin = {"origin": "https://page.example", "access-control-request-method": "POST"}
    for listed in ((), ("https://page.example",)):
        with (
            running(models, cors_origins=listed) as (address, _),
            httpx.Client(base_url=address) as client,
        ):
            answer = client.options("/v1/audio/speech", headers=origin)
            allowed = answer.headers.get("access-control-allow-origin")
            assert allowed == (listed[0] if listed else None)


def test_the_log_says_what_happened_and_no_text(server, caplog):
    address, _ = server
    with caplog.at_level("INFO", "catok.serving"):
        answer = httpx.post(
            f"{address}/v1/audio/speech?secret=1",
            json=asked(text="A secret bed.", ref_audio=as_b64(as_file(noise(24_000)))),
            headers={"x-request-id": "mine-1"},
        )
        assert answer.status_code == 200 and answer.headers["x-request-id"] == "mine-1"
        eventually(lambda: any(r.message == "request" for r in caplog.records))
    (record,) = [r for r in caplog.records if r.message == "request"]
    assert record.fields["route"] == "/v1/audio/speech" and record.fields["status"] == "200"
    assert record.fields["id"] == "mine-1" and record.fields["bytes_out"] > 44
    assert "secret" not in str(record.fields)
    assert sound_of(answer).shape[1]


def test_texts_are_in_the_log_where_that_is_asked_for(models, caplog):
    with running(models, log_texts=True) as (address, _), caplog.at_level("INFO", "catok.serving"):
        assert httpx.post(f"{address}/v1/audio/speech", json=asked()).status_code == 200
        file = {"file": as_wav(noise(9000))}
        text = httpx.post(f"{address}/v1/audio/transcriptions", files=file).json()["text"]
    found = {r.message: r.fields["text"] for r in caplog.records if r.message != "request"}
    assert found == {"speech": "A bed.", "transcript": text}


def as_b64(data):
    import base64

    return base64.b64encode(data).decode()


def address_of(address):
    host, port = address.removeprefix("http://").split(":")
    return host, int(port)


def head(path, length, kind="application/json", more=""):
    return (
        f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\n{more}"
        f"content-length: {length}\r\n\r\n"
    ).encode()
