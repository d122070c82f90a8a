"""Nonsense of every kind gets an answer in OpenAI's shape, and the server goes on."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.serving.client import in_process
from tests.serving.conftest import noise
from tests.serving.speech_requests import asked
from tests.serving.test_tokens import as_wav

POSTS = (
    "/v1/audio/speech",
    "/v1/audio/speech/batch",
    "/v1/audio/transcriptions",
    "/v1/audio/encode",
    "/v1/audio/decode",
    "/v1/audio/voices",
)
FIELDS = (
    *("input", "voice", "seed", "stream", "stream_format", "response_format", "speed", "ref_audio"),
    *("references", "items", "codes", "samples", "num_quantizers", "bitrate", "temperature"),
    *(
        "max_new_tokens",
        "instructions",
        "language",
        "sample_rate",
        "guidance",
        "top_p",
        "ref_codes",
    ),
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["wav", "cat", "sse", "audio", "alloy", "data:;base64,AAAA", "http://a/"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=6), values, max_size=6)
headers = st.dictionaries(
    st.sampled_from(["authorization", "content-type", "x-request-id", "accept", "range", "x-a"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40).map(str.strip),
    max_size=3,
)
multipart = st.binary(max_size=200).map(
    lambda junk: (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        + junk
        + b"\r\n--b--\r\n"
    )
)
kinds = st.sampled_from(
    [
        "application/json",
        "multipart/form-data; boundary=b",
        "multipart/form-data",
        "application/x-ndjson",
        "audio/pcm; rate=24000",
        "audio/wav",
        "application/x-www-form-urlencoded",
        "text/plain; charset=\x7f",
    ]
)


@pytest.fixture(scope="module")
def client(models):
    """A client and its event loop, for all examples."""
    loop = asyncio.new_event_loop()
    context = in_process(models, max_seconds=0.4, max_audio_seconds=5.0)
    found = loop.run_until_complete(context.__aenter__())
    yield lambda *what, **how: loop.run_until_complete(found.request(*what, **how))
    good = loop.run_until_complete(found.post("/v1/audio/encode", content=as_wav(noise(1920))))
    assert good.status_code == 200  # still at work
    gates = found.app.state.gates.values()
    assert not any(gate.inside or gate.waiting for gate in gates)
    loop.run_until_complete(context.__aexit__(None, None, None))
    loop.close()


def check(answer):
    assert answer.status_code in (200, 400, 401, 404, 405, 409, 413, 500), answer.text
    assert b"Traceback" not in answer.content
    if answer.status_code != 200:
        error = json.loads(answer.content)["error"]
        assert set(error) == {"message", "type", "param", "code"}
        if answer.status_code == 500:
            assert error["code"] == "no_speech", error  # the small model may say nothing


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(POSTS), objects, st.booleans())
def test_json(client, url, fields, good):
    if good:
        fields = asked(text="A.") | fields
    check(client("POST", url, content=json.dumps(fields)))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(POSTS), st.binary(max_size=300) | multipart, kinds, headers)
def test_bodies_and_headers(client, url, body, kind, more):
    check(client("POST", url, content=body, headers={"content-type": kind} | more))


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["GET", "POST", "DELETE", "PUT", "OPTIONS", "HEAD", "PATCH"]),
    st.text(
        st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#?"), max_size=30
    ),
    st.dictionaries(
        st.sampled_from(["num_quantizers", "response_format", "stream", "sample_rate"]),
        st.text(max_size=8),
    ),
)
def test_paths_and_queries(client, method, path, query):
    for url in (f"/{path}", f"/v1/audio/voices/{path}", "/v1/audio/encode"):
        answer = client(method, url, params=query)
        if method != "HEAD":
            check(answer)
