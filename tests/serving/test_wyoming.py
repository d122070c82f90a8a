"""Home Assistant's protocol, with the client of the package `wyoming`."""

import asyncio
import json

import pytest
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.tts import Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop

from catok.lm.asr import DecodingConfig
from catok.serving.app import create_app
from catok.serving.config import ServerConfig
from catok.serving.formats import as_pcm, from_pcm
from catok.serving.wyoming import start_wyoming
from catok.serving.wyoming_events import LONGEST_PART
from tests.serving.client import QUICK
from tests.serving.conftest import noise

TEXT = "A bed. A cab, a deed! Fed."


def talk(models, conversation, **settings):
    """What a conversation comes to; it is given a function that opens clients, and the gates."""

    async def run():
        app = create_app(models, ServerConfig(**(QUICK | settings)))
        state = app.state
        async with app.router.lifespan_context(app):
            server = await start_wyoming(state.service, state.gates, state.metrics, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            try:
                return await conversation(lambda: AsyncTcpClient("127.0.0.1", port), state.gates)
            finally:
                server.close()

    return asyncio.run(run())


async def heard(client, *events):
    """Send events, and receive up to the end of an answer."""
    for event in events:
        await client.write_event(event)
    found = []
    while not found or found[-1].type not in ("audio-stop", "transcript", "error"):
        event = await asyncio.wait_for(client.read_event(), 30)
        assert event is not None
        found.append(event)
    return found


def sound(events):
    assert (events[0].type, events[0].data["rate"]) == ("audio-start", 24_000)
    return b"".join(event.payload for event in events if event.type == "audio-chunk")


def test_what_there_is(models):
    async def conversation(connect, gates):
        async with connect() as client:
            await client.write_event(Describe().event())
            return Info.from_event(await client.read_event())

    info = talk(models, conversation)
    (tts,), (asr,) = info.tts, info.asr
    assert tts.supports_synthesize_streaming and "default" in [each.name for each in tts.voices]
    assert asr.models[0].languages


def test_speech_whole_and_as_it_is_written(models, monkeypatch):
    monkeypatch.setattr("catok.serving.routes.speech_request.draw_seeds", lambda n: [5] * n)

    async def conversation(connect, gates):
        async with connect() as client:
            whole = await heard(client, Synthesize(TEXT).event())
            pieces = [SynthesizeChunk(TEXT[i : i + 4]).event() for i in range(0, len(TEXT), 4)]
            events = [SynthesizeStart().event(), *pieces, Synthesize(TEXT).event()]
            written = await heard(client, *events, SynthesizeStop().event())
            last = await client.read_event()
        return sound(whole), sound(written), last.type, gates["speech"].inside

    whole, written, last, inside = talk(models, conversation)
    assert whole == written and len(whole) > 10_000
    assert (last, inside) == ("synthesize-stopped", 0)


@pytest.mark.parametrize("rate", [24_000, 16_000])
def test_recognition(models, rate):
    audio = from_pcm(as_pcm(noise(2 * rate)), 1)
    shape = {"rate": rate, "width": 2, "channels": 1}
    data = as_pcm(audio)
    chunks = [AudioChunk(audio=data[i : i + 2048], **shape) for i in range(0, len(data), 2048)]
    start = [Transcribe().event(), AudioStart(**shape).event()]
    events = [*start, *(each.event() for each in chunks), AudioStop().event()]

    async def conversation(connect, gates):
        async with connect() as client:
            return [Transcript.from_event((await heard(client, *events))[-1]) for _ in range(2)]

    first, second = talk(models, conversation)
    assert first.text == second.text
    if rate == 24_000:
        expected = models.recognizer.transcribe(audio, rate, DecodingConfig())
        assert first.text == expected.text != ""


GARBAGE = [
    b"garbage\n",
    b"[]\n",
    b'{"type": 5}\n',
    b'{"type": "ping", "payload_length": -1}\n',
    json.dumps({"type": "ping", "payload_length": LONGEST_PART + 1}).encode() + b"\n",
    b"x" * 100_000 + b"\n",
    b'{"type": "audio-stop"}\n',
    b'{"type": "synthesize-chunk", "data": {"text": "a"}}\n',
    b'{"type": "audio-start", "data": {"rate": 1e99, "width": 2, "channels": 1}}\n',
    b'{"type": "audio-start", "data": {"rate": 16000, "width": 4, "channels": 1}}\n',
    b'{"type": "synthesize-start", "data": {"voice": {"name": "nobody at all"}}}\n',
]


@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_answered_and_frees_everything(models, data):
    async def conversation(connect, gates):
        async with connect() as client:
            client._writer.write(data)
            answer = await asyncio.wait_for(client.read_event(), 30)
            end = await asyncio.wait_for(client.read_event(), 30)
        await asyncio.sleep(0)
        return answer, end, [gate.inside for gate in gates.values()]

    answer, end, inside = talk(models, conversation)
    assert answer.type == "error" and "Traceback" not in answer.data["text"]
    assert end is None and not any(inside)


def test_who_goes_away_is_not_spoken_to(models):
    async def conversation(connect, gates):
        async with connect() as client:
            await client.write_event(Synthesize(TEXT * 20).event())
            await client.read_event()
        async with asyncio.timeout(30):
            while gates["session"].inside:
                await asyncio.sleep(0.01)
        return gates["speech"].inside

    assert talk(models, conversation, max_seconds=30.0) == 0


def test_silence_ends_a_connection(models):
    async def conversation(connect, gates):
        async with connect() as client:
            return await asyncio.wait_for(client.read_event(), 30)

    answer: Event = talk(models, conversation, idle_seconds=0.05)
    assert answer.data["code"] == "idle_timeout"


@pytest.mark.parametrize("event", ["synthesize", "audio-chunk"])
def test_who_goes_away_with_much_waiting_is_let_go(models, event):
    """More than the queue holds is on its way when the work finds out that nobody listens."""
    text = Synthesize(TEXT * 40).event()
    chunk = AudioChunk(24_000, 2, 1, bytes(9600)).event()
    events = [text] if event == "synthesize" else [AudioStart(24_000, 2, 1).event(), *[chunk] * 200]

    async def conversation(connect, gates):
        async with connect() as client:
            for each in events:
                await client.write_event(each)
            while not gates["session"].inside:
                await asyncio.sleep(0.01)
            client._writer.transport.abort()
        async with asyncio.timeout(30):
            while any(gate.inside for gate in gates.values()):
                await asyncio.sleep(0.01)

    talk(models, conversation)
