"""`/v1/audio/speech`: every format, whole and streamed, in company and alone."""

import asyncio
import base64
import io
import json
from dataclasses import replace

import httpx2 as httpx
import pytest
import torch

from catok import Encoded, load_audio
from catok.serving.formats import UNKNOWN, from_pcm
from tests.lm.tts.conftest import voice
from tests.serving.client import ask
from tests.serving.speech_requests import (
    URL,
    as_file,
    close,
    expected,
    said,
    sound_of,
    speaking_seed,
)

TEXTS = ("A bed.", "A cab and a deed.", "Fed. A bead!", "Added a bag.")


@pytest.mark.slow
def test_sixteen_at_a_time_get_what_each_gets_alone(models):
    plan = []
    for n in range(16):
        text, depth, temperature = TEXTS[n % 4], 1 + n % 4, 0.5 + n / 8
        sampling = replace(models.synthesizer.sampling, audio_temperature=temperature)
        seed = speaking_seed(models, text, 10 * n, num_quantizers=depth, sampling=sampling)
        plan.append(
            {"text": text, "seed": seed, "num_quantizers": depth, "temperature": temperature}
        )

    async def talk(client):
        both = [{**each, "response_format": kind} for each in plan for kind in ("cat", "wav")]
        together = await asyncio.gather(*(said(client, **each) for each in both))
        return together, [await said(client, **each) for each in both]

    together, alone = ask(models, talk, speech_limit=8)
    assert [a.content for a in together[::2]] == [a.content for a in alone[::2]]  # to the bit
    assert len({a.content for a in alone[::2]}) == 16
    for first, second in zip(together[1::2], alone[1::2], strict=True):
        assert close(sound_of(first), sound_of(second))
    assert [int(a.headers["x-seed"]) for a in alone[::2]] == [each["seed"] for each in plan]
    for answer, each in zip(alone[::2], plan, strict=True):
        encoded = Encoded.load(io.BytesIO(answer.content))
        assert encoded.num_quantizers == each["num_quantizers"]


def test_streamed_is_whole_and_both_are_the_librarys(models):
    long = "A bed and a cab. " * 20

    async def talk(client):
        whole = await said(client, text=long)
        live = await said(client, text=long, stream=True)
        events = await said(client, text=long, stream=True, stream_format="sse")
        bare = await said(client, text=long, stream_format="audio", response_format="pcm")
        return whole, live, events, bare

    whole, live, events, bare = ask(models, talk)
    assert close(sound_of(whole), expected(models, long))
    assert int.from_bytes(whole.content[4:8], "little") == len(whole.content) - 8
    assert int.from_bytes(whole.content[40:44], "little") == len(whole.content) - 44
    sizes = [live.content[4:8], live.content[40:44]]
    assert all(int.from_bytes(size, "little") == UNKNOWN for size in sizes)
    assert live.content.count(b"RIFF") == 1
    samples = from_pcm(whole.content[44:], 1)
    assert close(from_pcm(live.content[44:], 1), samples)
    assert close(from_pcm(bare.content, 1), samples)
    assert bare.headers["content-type"] == "audio/pcm"
    assert bare.headers["x-sample-rate"] == "24000" and bare.headers["x-channels"] == "1"
    assert events.headers["content-type"].startswith("text/event-stream")
    *deltas, done = [json.loads(line[6:]) for line in events.text.split("\n\n") if line]
    assert {each["type"] for each in deltas} == {"speech.audio.delta"}
    joined = b"".join(base64.b64decode(each["audio"]) for each in deltas)
    assert joined[:44] == live.content[:44] and close(from_pcm(joined[44:], 1), samples)
    assert done["type"] == "speech.audio.done"
    usage = done["usage"]
    assert usage["input_tokens"] + usage["output_tokens"] == usage["total_tokens"] > 0
    assert int(whole.headers["x-usage-total-tokens"]) == usage["total_tokens"]


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "flac", "wav"])
def test_every_format_is_one_file_whole_and_streamed(models, format):
    async def talk(client):
        whole = await said(client, response_format=format)
        return whole, await said(client, response_format=format, stream=True)

    sound = expected(models)
    for answer in ask(models, talk):
        found = sound_of(answer)
        lossless = format in ("wav", "flac")
        assert 0 <= found.shape[1] - sound.shape[1] <= (0 if lossless else 2 * 1152)
        if lossless:
            assert close(found, sound)


def test_speed_rate_and_bitrate(models):
    async def talk(client):
        return [
            await said(client),
            await said(client, speed=2.0),
            await said(client, sample_rate=16_000),
            await said(client, bitrate=160),
            await said(client, num_quantizers=2),
        ]

    plain, fast, slower, bitrate, two = ask(models, talk)
    length = sound_of(plain).shape[1]
    assert 0.35 * length < sound_of(fast).shape[1] < 0.6 * length
    assert slower.content[24:28] == (16_000).to_bytes(4, "little")
    assert abs(sound_of(slower).shape[1] - length * 2 / 3) < 2
    assert (
        close(sound_of(bitrate), sound_of(two)) and bitrate.content != plain.content
    )  # 6 bits, 12.5 times a second, twice


@pytest.mark.slow
def test_references_in_every_shape_are_the_same_voice(models):
    recording = as_file(voice())
    codes = models.synthesizer.encode_reference(load_audio(io.BytesIO(recording)))
    encoded = models.tokenizer.encoded(codes[None], torch.tensor([codes.shape[1] * 1920]))
    cat = io.BytesIO()
    encoded.save(cat)
    data = base64.b64encode(recording).decode()
    shapes = [
        {"ref_audio": data},
        {"ref_audio": f"data:audio/wav;base64,{data}"},
        {"references": [{"data": data}]},
        {"references": [{"audio_path": f"data:audio/wav;base64,{data}"}]},
        {"references": [{"vq_codes": codes.tolist()}]},
        {"ref_codes": base64.b64encode(cat.getvalue()).decode()},
    ]

    async def talk(client):
        answers = [await said(client, **shape) for shape in shapes]
        form = {"input": "A bed.", "seed": "1", "response_format": "wav"}
        upload = await client.post(URL, data=form, files={"ref_audio": ("v.wav", recording)})
        spoken = await said(client, **shapes[0], ref_text="A cab.")
        both = await said(
            client, text="[S1] A bed. [S2] A cab.", references=[shapes[2]["references"][0]] * 2
        )
        return [*answers, upload], spoken, both

    answers, spoken, both = ask(models, talk)
    assert all(close(sound_of(answer), sound_of(answers[0])) for answer in answers)
    assert close(sound_of(answers[0]), expected(models, reference=codes))
    assert close(sound_of(spoken), expected(models, reference=codes, reference_text="A cab."))
    assert both.status_code == 200 and both.content != answers[0].content


def test_a_batch_is_its_texts(models):
    pairs = [(speaking_seed(models, text, 0, num_quantizers=3), text) for text in TEXTS]

    async def talk(client):
        items = [{"input": text, "seed": n} for n, text in pairs]
        items.insert(2, {"input": " "})
        body = {"items": items, "response_format": "wav", "num_quantizers": 3}
        answer = await client.post(f"{URL}/batch", json=body)
        alone = [await said(client, text=t, seed=n, num_quantizers=3) for n, t in pairs]
        many = await client.post(f"{URL}/batch", json={"items": [{"input": "a"}] * 33})
        return answer.json()["results"], alone, many

    results, alone, many = ask(models, talk)
    failed = results.pop(2)
    assert failed["index"] == 2 and "no text" in failed["error"]["message"]
    for each, single in zip(results, alone, strict=True):
        found = load_audio(io.BytesIO(base64.b64decode(each["audio"])))[0]
        assert close(found, sound_of(single))
    assert many.status_code == 400


def test_pcm_is_24_khz_mono_whatever_the_model(stereo_model, models, tmp_path):
    from catok.lm.tts import Synthesizer
    from catok.serving.models import Models
    from tests.lm.tts.conftest import save_speech_model

    folder = save_speech_model(tmp_path / "stereo", stereo_model)
    config = json.loads((folder / "config.json").read_text())
    assert config
    synth = Synthesizer.from_pretrained(folder, tokenizer=stereo_model)

    async def talk(client: httpx.AsyncClient):
        return await said(client), await said(client, response_format="pcm")

    wav, pcm = ask(Models(stereo_model, synth), talk)
    sound = sound_of(wav)
    assert sound.shape[0] == 2
    rate = stereo_model.sample_rate
    found = from_pcm(pcm.content, 1)
    assert abs(found.shape[1] - sound.shape[1] * 24_000 / rate) < 2
    assert pcm.headers["x-sample-rate"] == "24000"
