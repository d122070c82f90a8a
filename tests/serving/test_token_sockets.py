"""Codes over WebSockets: the same as offline, in company, and clean ends of bad conversations."""

import asyncio

import numpy as np
import pytest
import torch

from catok.serving.formats import as_pcm, from_pcm
from tests.serving.conftest import noise
from tests.serving.sockets import Closed, talk

ENCODE, DECODE = "/v1/audio/encode/stream", "/v1/audio/decode/stream"
CONFIG = {"type": "session.config"}
DONE = {"type": "input.done"}


def f32(audio):
    return audio.T.contiguous().numpy().astype("<f4").tobytes()


async def encode(socket, data, piece=5000):
    for start in range(0, len(data), piece):
        await socket.send(data[start : start + piece])
    await socket.send(DONE)
    *parts, done = await socket.until("output.done")
    return parts, done


@pytest.mark.parametrize("quantizers", [None, 3])
def test_codes_are_those_of_the_whole_recording(models, quantizers):
    audio = from_pcm(as_pcm(noise(6_001)), 1)
    expected = models.tokenizer.encode(audio[None], num_quantizers=quantizers)

    async def conversation(app, connect):
        socket = await connect(ENCODE)
        await socket.send(CONFIG | {"num_quantizers": quantizers})
        started = await socket.receive()
        found = []
        for piece in (2, 1000, 44_444):  # one recording after the other in one session
            parts, done = await encode(socket, as_pcm(audio), piece)
            codes = torch.cat([torch.tensor(part["codes"]) for part in parts], dim=1)
            found.append((codes, done["samples"], done["frames"]))
        await socket.send({"type": "session.close"})
        with pytest.raises(Closed, match="1000"):
            await socket.receive()
        return started, found

    started, found = talk(models, conversation)
    assert started["weight_hash"] == models.tokenizer.weight_hash
    assert started["num_quantizers"] == expected.num_quantizers
    for codes, samples, frames in found:
        assert torch.equal(codes, expected.codes[0])
        assert (samples, frames) == (6_001, expected.codes.shape[2])


def test_float_samples_and_binary_codes_and_back(models):
    audio = noise(20_003)
    expected = models.tokenizer.encode(audio[None])
    sound = models.tokenizer.decode(expected)[0]
    config = CONFIG | {"encoding": "pcm_f32le", "codes": "binary"}

    async def conversation(app, connect):
        up, down = await connect(ENCODE), await connect(DECODE)
        for socket in (up, down):
            await socket.send(config)
            await socket.receive()
        parts, done = await encode(up, f32(audio), 4000)
        for part in parts:
            await down.send(part)
        await down.send(DONE | {"samples": done["samples"]})
        *back, last = await down.until("output.done")
        return b"".join(parts), b"".join(back), last

    codes, back, last = talk(models, conversation)
    rows = np.frombuffer(codes, "<u2").reshape(-1, expected.num_quantizers).T
    assert np.array_equal(rows, expected.codes[0].numpy())
    assert last["samples"] == 20_003
    heard = torch.from_numpy(np.frombuffer(back, "<f4").copy())[None]
    torch.testing.assert_close(heard, sound, rtol=0, atol=2e-6)


def test_decode_takes_json_and_a_prefix(models):
    encoded = models.tokenizer.encode(noise(9600)[None], num_quantizers=2)
    expected = models.tokenizer.decode(encoded)[0]

    async def conversation(app, connect):
        socket = await connect(DECODE)
        await socket.send(CONFIG | {"num_quantizers": 2})
        await socket.receive()
        for frame in encoded.codes[0].split(2, dim=1):
            await socket.send({"type": "codes", "codes": frame.tolist()})
        await socket.send(DONE)
        *parts, _ = await socket.until("output.done")
        return b"".join(parts)

    heard = from_pcm(talk(models, conversation), 1)
    torch.testing.assert_close(heard, expected, rtol=0, atol=5e-5)  # 16 bits


def test_many_sessions_are_each_as_if_alone(models):
    audios = [noise(4000 + 3111 * n, seed=n) for n in range(12)]
    expected = [models.tokenizer.encode(audio[None]).codes[0] for audio in audios]

    async def conversation(app, connect):
        async def one(audio):
            socket = await connect(ENCODE)
            await socket.send(CONFIG | {"encoding": "pcm_f32le"})
            await socket.receive()
            parts, _ = await encode(socket, f32(audio), 4000)
            await socket.leave()
            return torch.cat([torch.tensor(part["codes"]) for part in parts], dim=1)

        return await asyncio.gather(*(one(audio) for audio in audios))

    for codes, wanted in zip(talk(models, conversation), expected, strict=True):
        assert torch.equal(codes, wanted)


BAD = [
    ("no JSON", "{", 1008),
    ("no object", "[1]", 1008),
    ("no type", {"num_quantizers": 2}, 1008),
    ("bytes first", b"\0\0", 1008),
    ("too many codebooks", CONFIG | {"num_quantizers": 99}, 1008),
    ("an encoding that is none", CONFIG | {"encoding": "mp3"}, 1008),
]


@pytest.mark.parametrize(("what", "first", "code"), BAD, ids=[bad[0] for bad in BAD])
def test_a_bad_first_message_is_answered_and_closed(models, what, first, code):
    async def conversation(app, connect):
        socket = await connect(ENCODE)
        await socket.send(first)
        message = await socket.receive()
        with pytest.raises(Closed) as closed:
            await socket.receive()
        return message, closed.value.args[0], app.state.gates["session"].inside

    message, closed, inside = talk(models, conversation)
    assert message["type"] == "error" and message["error"]["message"]
    assert (closed, inside) == (code, 0)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (ENCODE, b"\0\0\0"),  # a part of a sample
        (ENCODE, {"type": "codes", "codes": [[1]]}),  # no audio
        (ENCODE, {"type": "nonsense"}),
        (DECODE, b"\0\0\0"),
        (DECODE, {"type": "codes", "codes": [[1, 2], [3]]}),
        (DECODE, {"type": "codes", "codes": [[64]] * 8}),  # beyond the codebook
        (DECODE, {"type": "input.done", "samples": 5}),  # of nothing
    ],
)
def test_garbage_later_frees_everything(models, path, message):
    async def conversation(app, connect):
        socket = await connect(path)
        await socket.send(CONFIG)
        await socket.receive()
        await socket.send(message)
        answer = await socket.receive()
        with pytest.raises(Closed):
            await socket.receive()
        gates = app.state.gates
        return answer, gates["codec"].inside, gates["session"].inside

    answer, *inside = talk(models, conversation)
    assert answer["type"] == "error" and "Traceback" not in str(answer)
    assert inside == [0, 0]


def test_who_goes_away_leaves_nothing_behind(models):
    async def conversation(app, connect):
        socket = await connect(ENCODE)
        await socket.send(CONFIG)
        await socket.receive()
        await socket.send(as_pcm(noise(9600)))
        await socket.receive()
        await socket.leave()
        scheduler = app.state.service.scheduler
        await scheduler.call(lambda: None)
        gates = app.state.gates
        rows = [len(pool) for pool in (*scheduler.encoding, *scheduler.decoding)]
        return rows, gates["codec"].inside, gates["session"].inside

    rows, *inside = talk(models, conversation)
    assert not any(rows) and inside == [0, 0]


def test_the_key_the_origin_and_the_number_of_sessions(models):
    async def conversation(app, connect):
        for headers in ({}, {"authorization": "Bearer other"}):
            with pytest.raises(Closed, match="1008"):
                await connect(ENCODE, headers)
        key = {"authorization": "Bearer secret", "host": "here:8000"}
        with pytest.raises(Closed, match="1008"):
            await connect(ENCODE, key | {"origin": "http://elsewhere"})
        await connect(ENCODE, key | {"origin": "http://here:8000"})
        await connect(ENCODE, {}, ["realtime", "openai-insecure-api-key.secret"])
        third = await connect(ENCODE, key)
        refused = await third.receive()
        with pytest.raises(Closed, match="1013"):
            await third.receive()
        return refused

    refused = talk(models, conversation, api_key="secret", session_limit=2)
    assert refused["error"]["code"] == "rate_limit_exceeded"


def test_silence_of_the_client_ends_a_session(models):
    async def conversation(app, connect):
        first, second = await connect(ENCODE), await connect(ENCODE)
        await second.send(CONFIG)
        await second.receive()
        await second.send(as_pcm(noise(100)))
        return await first.receive(), await second.receive()

    for answer in talk(models, conversation, config_seconds=0.05, idle_seconds=0.1):
        assert answer["error"]["code"] == "idle_timeout"
