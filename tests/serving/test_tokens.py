"""`/v1/audio/encode` and `/v1/audio/decode`: what comes back is the library's, bit by bit."""

import asyncio
import io
import json

import pytest
import torch

from catok import Encoded, load_audio, save_audio
from catok.serving.formats import as_pcm, from_pcm
from tests.serving.client import ask
from tests.serving.conftest import noise

ENCODE, DECODE = "/v1/audio/encode", "/v1/audio/decode"
LINES = {"content-type": "application/x-ndjson"}


def as_wav(audio, rate=24_000):
    file = io.BytesIO()
    save_audio(file, audio, rate)
    return file.getvalue()


def lines_of(answer):
    return [json.loads(line) for line in answer.text.splitlines()]


def test_audio_to_codes_and_back_in_every_shape(models):
    audio = noise(5 * 1920 + 77)
    pcm = as_pcm(audio)
    heard = from_pcm(pcm, 1)  # at 16 bits
    expected = models.tokenizer.encode(heard[None], num_quantizers=5)
    wav = as_wav(heard)

    async def talk(client):
        how = {"num_quantizers": 5}
        cat = await client.post(ENCODE, content=wav, params=how)
        form = await client.post(ENCODE, files={"file": ("a.wav", wav)}, params=how)
        whole = await client.post(ENCODE, content=wav, params=how | {"response_format": "json"})
        bare = await client.post(
            ENCODE,
            content=pcm,
            params=how | {"response_format": "jsonl"},
            headers={"content-type": "audio/pcm; rate=24000; channels=1"},
        )
        back = [
            await client.post(DECODE, content=cat.content),
            await client.post(DECODE, files={"file": cat.content}),
            await client.post(DECODE, json=whole.json()),
            await client.post(DECODE, content=cat.content, params={"stream": True}),
            await client.post(DECODE, content=bare.content, headers=LINES),
        ]
        few = await client.post(DECODE, content=cat.content, params={"num_quantizers": 2})
        flac = await client.post(DECODE, content=cat.content, params={"response_format": "flac"})
        return cat, form, whole, bare, back, few, flac

    cat, form, whole, bare, back, few, flac = ask(models, talk)
    for answer in (cat, form):
        found = Encoded.load(io.BytesIO(answer.content))
        assert torch.equal(found.codes, expected.codes)
        assert int(found.sample_lengths) == audio.shape[1]
        assert found.weight_hash == models.tokenizer.weight_hash
    assert whole.json()["codes"] == expected.codes[0].tolist()
    assert whole.json()["samples"] == audio.shape[1]
    *parts, last = lines_of(bare)
    codes = torch.cat([torch.tensor(part["codes"]) for part in parts], dim=1)
    assert torch.equal(codes, expected.codes[0])
    assert last["samples"] == audio.shape[1] and last["num_quantizers"] == 5
    sound = models.tokenizer.decode(expected)[0]
    for answer in back[:4]:
        assert answer.status_code == 200, answer.text
        assert torch.allclose(load_audio(io.BytesIO(answer.content))[0], sound, atol=1e-4)
    whole_frames = load_audio(io.BytesIO(back[4].content))[0]  # lines do not say how long at first
    assert torch.allclose(whole_frames[:, : audio.shape[1]], sound, atol=1e-4)
    two = models.tokenizer.decode(expected, num_quantizers=2)[0]
    assert torch.allclose(load_audio(io.BytesIO(few.content))[0], two, atol=1e-4)
    assert torch.allclose(load_audio(io.BytesIO(flac.content))[0], sound, atol=1e-4)


def test_sixteen_at_a_time_get_what_each_gets_alone(models):
    recordings = [noise(1920 * (3 + n) + 11 * n, n) for n in range(16)]

    async def talk(client):
        async def one(n):
            how = {"num_quantizers": 1 + n % 8}
            cat = await client.post(ENCODE, content=as_wav(recordings[n]), params=how)
            return cat, await client.post(DECODE, content=cat.content)

        together = await asyncio.gather(*(one(n) for n in range(16)))
        return together, [await one(n) for n in range(16)]

    together, alone = ask(models, talk, codec_limit=16)
    for (cat, wav), (one_cat, one_wav) in zip(together, alone, strict=True):
        assert cat.content == one_cat.content
        first, second = (from_pcm(each.content[44:], 1) for each in (wav, one_wav))
        assert torch.allclose(first, second, atol=2.5 / 32768)


def test_other_rates_and_channels_are_converted(models):
    stereo = torch.cat([noise(16_000, 1), noise(16_000, 2)])

    async def talk(client):
        return await client.post(ENCODE, content=as_wav(stereo, 16_000))

    found = Encoded.load(io.BytesIO(ask(models, talk).content))
    file = io.BytesIO(as_wav(stereo, 16_000))
    audio, _ = load_audio(file, sample_rate=24_000, channels=1)
    assert torch.equal(found.codes, models.tokenizer.encode(audio[None]).codes)


@pytest.mark.parametrize(
    "url, body",
    [
        (ENCODE, {"content": b""}),
        (ENCODE, {"content": b"no sound at all"}),
        (ENCODE, {"content": as_wav(noise(9))[:44]}),
        (ENCODE, {"content": b"\1\2\3", "headers": {"content-type": "audio/pcm"}}),
        (ENCODE, {"content": b"", "headers": {"content-type": "audio/pcm"}}),
        (ENCODE, {"content": b"\1\2", "headers": {"content-type": "audio/pcm;rate=8000"}}),
        (ENCODE, {"content": as_wav(noise(9)), "params": {"num_quantizers": 99}}),
        (ENCODE, {"content": as_wav(noise(9)), "params": {"num_quantizers": "x"}}),
        (ENCODE, {"data": {"file": "text"}}),
        (ENCODE, {"files": {"file": as_wav(noise(9))}, "data": {"response_format": "json"}}),
        (DECODE, {"files": {"file": b"CATK"}, "data": {"num_quantizers": "2"}}),
        (ENCODE, {"content": b"junk", "headers": {"content-type": "multipart/form-data"}}),
        (DECODE, {"content": b""}),
        (DECODE, {"content": b"CATOK but damaged"}),
        (DECODE, {"json": [1]}),
        (DECODE, {"json": {"codes": []}}),
        (DECODE, {"json": {"codes": [[1], [2, 3]]}}),
        (DECODE, {"json": {"codes": [[1.5]]}}),
        (DECODE, {"json": {"codes": [[True]]}}),
        (DECODE, {"json": {"codes": [[64]]}}),
        (DECODE, {"json": {"codes": [[-1]]}}),
        (DECODE, {"json": {"codes": [[2**64]]}}),
        (DECODE, {"json": {"codes": [[1]] * 9}}),
        (DECODE, {"json": {"codes": [[1]], "samples": 9999}}),
        (DECODE, {"json": {"codes": [[1]], "weight_hash": "1" * 16}}),
        (DECODE, {"json": {"codes": [[1]]}, "params": {"num_quantizers": 2}}),
        (DECODE, {"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}),
        (DECODE, {"content": b"{}\n{", "headers": LINES}),
        (DECODE, {"content": b"", "headers": LINES}),
        (DECODE, {"content": b'{"codes":[[1]]}\n{"codes":[[1],[2]]}', "headers": LINES}),
        (DECODE, {"json": {"codes": [[1]]}, "params": {"response_format": "midi"}}),
    ],
)
def test_what_does_not_fit_is_refused(models, url, body):
    async def talk(client):
        answer = await client.post(url, **body)
        again = await client.post(ENCODE, content=as_wav(noise(1920)))
        return answer, again

    answer, again = ask(models, talk)
    assert answer.status_code in (400, 500) and again.status_code == 200
    error = answer.json()["error"]
    assert error["message"] and "Traceback" not in answer.text
    assert answer.status_code == 400 or error["code"] == "no_speech"


def test_messages_of_what_was_sent_name_no_file(models):
    async def talk(client):
        bodies = [{"content": b"no sound"}, {"files": {"file": ("a.wav", b"no sound")}}]
        answers = [await client.post(ENCODE, **body) for body in bodies]
        return [*answers, await client.post(DECODE, content=b"no codes"), await client.get(ENCODE)]

    *refused, wrong_method = [answer.json()["error"] for answer in ask(models, talk)]
    assert all(each["message"].startswith("the file object is not") for each in refused)
    assert wrong_method["type"] == "invalid_request_error"


@pytest.mark.parametrize(("codes", "status"), [([[0]] * 9, 400), ([[0] * 80_000], 413)])
def test_too_many_codes_are_not_looked_at(models, monkeypatch, codes, status):
    """Millions of numbers would hold up everybody."""

    async def talk(client):
        return await client.post("/v1/audio/decode", json={"codes": codes})

    monkeypatch.setattr("catok.serving.routes.tokens.code_rows", lambda *_: 1 / 0)
    assert ask(models, talk).status_code == status
