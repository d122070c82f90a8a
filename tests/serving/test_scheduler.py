"""Many requests on one thread: each gets what it gets alone."""

import asyncio
import threading

import pytest
import torch

from catok.lm.asr import DecodingConfig
from catok.lm.tts import SpeechRequest
from catok.serving.jobs import MOST_PENDING, MOST_UNREAD, Cancelled
from catok.serving.scheduler import Scheduler
from catok.tokenizer.stream_pool import EncoderPool
from tests.serving.conftest import noise

FRAME = 1920


async def encoded(scheduler, audio, depth, pieces=3):
    job = await scheduler.encode(scheduler.models.tokenizer, depth)

    async def feed():
        for piece in audio.split(max(1, audio.shape[1] // pieces), dim=1):
            await job.push(piece)
            await asyncio.sleep(0)
        job.finish()

    feeding = asyncio.create_task(feed())
    codes = [part async for part in job]
    await feeding
    return torch.cat(codes, dim=1)


async def decoded(scheduler, codes, samples=None):
    job = await scheduler.decode(scheduler.models.tokenizer, samples)

    async def feed():
        await job.push(codes)
        job.finish()

    feeding = asyncio.create_task(feed())
    sound = [part async for part in job]
    await feeding
    return torch.cat(sound, dim=1)


async def spoken(scheduler, request):
    prompt = scheduler.models.synthesizer.prompt(request)
    job = await scheduler.speak(prompt)
    sound = [part async for part in job]
    return job.codes, job.ended, torch.cat([torch.zeros(1, 0), *sound], dim=1)


def requests(count):
    texts = ("A bed.", "A cab, a deed.", "Fed.", "Added a bead and a bag.")
    return [
        SpeechRequest(texts[n % 4], seed=n, num_quantizers=1 + n % 4, max_seconds=1.2)
        for n in range(count)
    ]


def test_sixteen_at_a_time_get_what_each_gets_alone(scheduler, models):
    audio = [noise(FRAME * (2 + n) + 37 * n, n) for n in range(16)]
    beam = DecodingConfig(beam=2, tokens_per_second=6)

    async def everything():
        return await asyncio.gather(
            asyncio.gather(*(encoded(scheduler, a, 1 + n % 8) for n, a in enumerate(audio))),
            asyncio.gather(*(spoken(scheduler, request) for request in requests(16))),
            asyncio.gather(
                *(
                    scheduler.recognize(models.tokenizer.encode(a[None]).codes[0, :4], beam)
                    for a in audio[:5]
                )
            ),
        )

    codes, speech, transcripts = asyncio.run(everything())
    for n, (one, found) in enumerate(zip(audio, codes, strict=True)):
        alone = models.tokenizer.encode(one[None], num_quantizers=1 + n % 8)
        assert torch.equal(found, alone.codes[0])
    for request, (found, ended, sound) in zip(requests(16), speech, strict=True):
        (alone,) = models.synthesizer.synthesize([request])
        assert torch.equal(found, alone.codes) and ended == alone.ended
        assert torch.allclose(sound, alone.audio, atol=1e-5)
    for one, found in zip(audio, transcripts, strict=False):
        piece = models.tokenizer.encode(one[None]).codes[0, :4]
        assert found.tokens == models.recognizer.recognize([piece], beam)[0].tokens


def test_decoding_ends_where_it_is_told(scheduler, models):
    codes = torch.randint(0, 64, (3, 200), generator=torch.Generator().manual_seed(1))
    whole = models.tokenizer.decode(codes[None])[0]
    for samples in (None, 199 * FRAME + 5, 70 * FRAME):  # far below too: nothing hangs
        found = asyncio.run(decoded(scheduler, codes, samples))
        assert torch.allclose(found, whole[:, :samples], atol=1e-5)


def test_a_slow_reader_holds_up_only_himself(scheduler, models):
    codes = torch.randint(0, 64, (2, 400), generator=torch.Generator().manual_seed(1))

    async def run():
        slow = await scheduler.decode(models.tokenizer)

        async def feed():
            await slow.push(codes)
            slow.finish()

        feeding = asyncio.create_task(feed())
        first = await anext(slow)
        await decoded(scheduler, codes[:, :100])  # others go on, and end
        await asyncio.sleep(0.05)
        assert not feeding.done()
        held = sum(part.shape[1] for part, _ in slow._items) // FRAME
        assert MOST_UNREAD <= held <= MOST_UNREAD + 16
        (pool,) = scheduler.decoding
        assert sum(pool.waiting(n) for n in scheduler.decoding[pool]) <= MOST_PENDING
        rest = [part async for part in slow]
        await feeding
        return torch.cat([first, *rest], dim=1)

    whole = models.tokenizer.decode(codes[None])[0]
    assert torch.allclose(asyncio.run(run()), whole, atol=1e-5)


def free(scheduler):
    """Whether no row is taken."""
    pools = (*scheduler.encoding, *scheduler.decoding)
    jobs = [*scheduler.encoding.values(), *scheduler.decoding.values()]
    engines = scheduler.generation, scheduler.recognition
    return not any(map(len, pools)) and not any(jobs) and not any(e.busy for e in engines)


async def settled(scheduler):
    for _ in range(400):
        if await scheduler.call(lambda: free(scheduler)):
            return True
        await asyncio.sleep(0.005)
    return False


def test_whoever_is_cancelled_frees_everything(scheduler, models):
    async def run():
        encode = await scheduler.encode(models.tokenizer)
        await encode.push(noise(FRAME * 10))
        prompt = models.synthesizer.prompt(SpeechRequest("A bed.", seed=1))
        speak = await scheduler.speak(prompt)
        piece = torch.zeros(4, 300, dtype=torch.int64)
        waiting = asyncio.create_task(scheduler.recognize(piece, DecodingConfig(beam=2)))
        starting = asyncio.create_task(scheduler.speak(prompt))
        await asyncio.sleep(0)
        for task in (waiting, starting):
            task.cancel()
        encode.cancel()
        speak.cancel()
        speak.cancel()
        with pytest.raises(Cancelled):
            await anext(speak)
        with pytest.raises(Cancelled):
            await encode.push(noise(FRAME))
        for task in (waiting, starting):
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await settled(scheduler)

    asyncio.run(run())


def test_a_step_that_fails_ends_those_in_it_and_no_others(scheduler, models, monkeypatch):
    audio = noise(FRAME * 40)

    async def run():
        speaking = asyncio.create_task(spoken(scheduler, requests(1)[0]))
        with monkeypatch.context() as patch:
            patch.setattr(EncoderPool, "step", lambda self: 1 / 0)
            with pytest.raises(RuntimeError, match="the model failed"):
                await encoded(scheduler, audio, 4)
        await speaking
        again = await encoded(scheduler, audio, 4)
        assert torch.equal(again, models.tokenizer.encode(audio[None]).codes[0, :4])
        assert await settled(scheduler)

    asyncio.run(run())


def test_stopping_ends_who_still_runs_and_the_thread(models):
    scheduler = Scheduler(models)
    before = threading.active_count()
    scheduler.start()

    async def run():
        job = await scheduler.encode(models.tokenizer)
        await job.push(noise(FRAME))
        await anext(job)
        await asyncio.to_thread(scheduler.stop)
        with pytest.raises(Cancelled):
            await anext(job)
        with pytest.raises(Cancelled):
            await scheduler.encode(models.tokenizer)

    asyncio.run(run())
    assert not scheduler.alive and threading.active_count() <= before + 1


def test_bad_input_is_refused_at_the_door(scheduler, models):
    async def run():
        with pytest.raises(ValueError, match="num_quantizers"):
            await scheduler.encode(models.tokenizer, 99)
        encode = await scheduler.encode(models.tokenizer)
        with pytest.raises(ValueError, match="NaN"):
            await encode.push(noise(9) * float("nan"))
        decode = await scheduler.decode(models.tokenizer)
        with pytest.raises(ValueError, match="codes run from"):
            await decode.push(torch.full((2, 3), 64))
        await decode.push(torch.zeros(2, 1, dtype=torch.int64))
        with pytest.raises(ValueError, match="2 codebooks"):
            await decode.push(torch.zeros(3, 1, dtype=torch.int64))
        with pytest.raises(ZeroDivisionError):
            await scheduler.call(lambda: 1 / 0)
        encode.cancel()
        decode.cancel()
        assert await settled(scheduler)

    asyncio.run(run())
