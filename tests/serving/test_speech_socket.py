"""Text in, audio out over a WebSocket: the same however the text comes, and as the library."""

import asyncio
import io

import pytest
import torch

from catok import load_audio
from catok.lm.tts import SpeechRequest
from catok.lm.tts.long_form import LongFormStream, silence
from catok.lm.tts.text_splitting import split_sentences
from catok.serving.formats import from_pcm
from tests.serving.sockets import Closed, talk

PATH = "/v1/audio/speech/stream"
CONFIG = {"type": "session.config", "seed": 5, "num_quantizers": 2}
TEXT = "A bed. A cab, a deed! Fed."


async def speak(socket, text, piece):
    for start in range(0, len(text), piece):
        await socket.send({"type": "input.text", "text": text[start : start + piece]})
        await asyncio.sleep(0)
    await socket.send({"type": "input.done"})
    return await socket.until("session.done")


def joined(messages):
    return b"".join(each for each in messages if isinstance(each, bytes))


def of_the_library(models, text, seed, depth, seconds):
    synth = models.synthesizer
    request = SpeechRequest("x", seed=seed, num_quantizers=depth, max_seconds=seconds)
    plan = synth.plan_pieces(request, split_sentences(text))
    gap = silence(synth.tokenizer.channels, 0.25, synth.sample_rate)
    return torch.cat(list(LongFormStream(plan, synth.stream, gap)), dim=1)


def test_the_same_audio_however_the_text_comes(models):
    async def conversation(app, connect):
        socket = await connect(PATH)
        await socket.send(CONFIG)
        started = await socket.receive()
        found = [await speak(socket, TEXT, piece) for piece in (1, 4, 1000)]
        await socket.send({"type": "session.close"})
        with pytest.raises(Closed, match="1000"):
            await socket.receive()
        return started, found

    started, found = talk(models, conversation)
    assert (started["format"], started["sample_rate"]) == ("pcm", 24_000)
    expected = of_the_library(models, TEXT, 5, 2, 1.2)
    for number, messages in enumerate(found):
        heard = from_pcm(joined(messages), 1)
        torch.testing.assert_close(heard, expected, rtol=0, atol=5e-5)
        events = [each for each in messages if isinstance(each, dict)]
        kinds = [each["type"] for each in events]
        assert kinds == ["audio.start", "audio.done"] * 3 + ["session.done"]
        assert [each["text"] for each in events[:-1:2]] == ["A bed.", "A cab, a deed!", "Fed."]
        assert {each["utterance_index"] for each in events} == {number}
        assert [each["sentence_index"] for each in events[:-1]] == [0, 0, 1, 1, 2, 2]
        assert events[-1]["sentences"] == 3 and events[-1]["output_tokens"] > 0


def test_a_sentence_is_spoken_before_the_text_ends(models):
    async def conversation(app, connect):
        socket = await connect(PATH)
        await socket.send(CONFIG)
        await socket.receive()
        await socket.send({"type": "input.text", "text": "A bed. A"})
        start, audio = await socket.receive(), await socket.receive()
        await socket.send({"type": "input.text", "text": " cab."})
        await socket.send({"type": "input.done"})
        await socket.until("session.done")
        return start, audio

    start, audio = talk(models, conversation)
    assert start["text"] == "A bed." and isinstance(audio, bytes) and len(audio) > 100


@pytest.mark.parametrize("format", ["wav", "flac", "mp3"])
def test_an_utterance_is_one_file(models, format):
    async def conversation(app, connect):
        socket = await connect(PATH)
        await socket.send(CONFIG | {"response_format": format})
        await socket.receive()
        return [joined(await speak(socket, TEXT, 100)) for _ in range(2)]

    samples = of_the_library(models, TEXT, 5, 2, 1.2).shape[1]
    for data in talk(models, conversation):
        audio, rate = load_audio(io.BytesIO(data))
        assert rate == models.synthesizer.sample_rate
        assert samples <= audio.shape[1] <= samples + 4000  # MP3 pads


def test_two_at_once_are_each_as_if_alone(models):
    async def conversation(app, connect):
        async def one(seed):
            socket = await connect(PATH)
            await socket.send(CONFIG | {"seed": seed})
            await socket.receive()
            return joined(await speak(socket, TEXT, 7))

        alone = [await one(seed) for seed in (1, 2)]
        return alone, await asyncio.gather(one(1), one(2))

    alone, together = talk(models, conversation)
    assert alone == together and alone[0] != alone[1]


@pytest.mark.parametrize(
    "message",
    [
        b"\0\0",
        {"type": "nonsense"},
        {"type": "input.text", "text": 5},
        {"type": "input.text", "text": "a" * (1 << 18)},
    ],
)
def test_garbage_is_answered_and_frees_everything(models, message):
    async def conversation(app, connect):
        socket = await connect(PATH)
        await socket.send(CONFIG)
        await socket.receive()
        await socket.send(message)
        answer = await socket.receive()
        with pytest.raises(Closed):
            await socket.receive()
        return answer, [gate.inside for gate in app.state.gates.values()]

    answer, inside = talk(models, conversation)
    assert answer["type"] == "error" and not any(inside)


def test_nothing_is_spoken_for_who_has_gone(models):
    async def conversation(app, connect):
        socket = await connect(PATH)
        await socket.send(CONFIG)
        await socket.receive()
        await socket.send({"type": "input.text", "text": TEXT * 20})
        await socket.until("audio.start")
        await socket.leave()
        scheduler = app.state.service.scheduler
        await scheduler.call(lambda: None)
        return len(scheduler.speaking), [gate.inside for gate in app.state.gates.values()]

    speaking, inside = talk(models, conversation, max_seconds=30.0)
    assert speaking == 0 and not any(inside)
