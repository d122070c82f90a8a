"""Who is let in, in which order, and what the others are told."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.serving.errors import ApiError
from catok.serving.gate import Gate


def test_who_waited_longest_goes_first_and_the_queue_has_an_end():
    async def run():
        gate, order, release = Gate("x", 1, 2, 5.0), [], asyncio.Event()

        async def one(name):
            async with gate.entered():
                order.append(name)
                await release.wait()

        tasks = [asyncio.create_task(one(name)) for name in "abc"]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (gate.inside, gate.waiting) == (1, 2)
        with pytest.raises(ApiError) as full:
            async with gate.entered():
                pass
        assert full.value.status == 429 and full.value.retry_after >= 1
        release.set()
        await asyncio.gather(*tasks)
        assert order == ["a", "b", "c"] and (gate.inside, gate.waiting) == (0, 0)

    asyncio.run(run())


def test_who_waits_in_vain_or_leaves_holds_no_place():
    async def run():
        gate = Gate("x", 1, 5, 0.02)
        async with gate.entered():
            with pytest.raises(ApiError) as late:
                await gate.entered().__aenter__()
            assert late.value.status == 503
            leaving = asyncio.create_task(gate.entered().__aenter__())
            await asyncio.sleep(0)
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
            assert gate.waiting == 0
        assert gate.inside == 0
        gate.queue_seconds = 5.0
        async with gate.entered():
            waiting = asyncio.create_task(gate.entered().__aenter__())
            await asyncio.sleep(0)
            gate.close()
            with pytest.raises(ApiError) as closed:
                await waiting
            assert closed.value.code == "server_stopping"
        with pytest.raises(ApiError):
            await gate.entered().__aenter__()
        assert gate.inside == 0

    asyncio.run(run())


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=12),
    st.integers(1, 3),
    st.integers(0, 4),
)
def test_places_are_never_lost_nor_given_twice(plan, limit, queue):
    """Each: turns before it comes, turns that it stays, whether it is cancelled half way."""

    async def run():
        gate, inside, most = Gate("x", limit, queue, 60.0), 0, 0

        async def one(before, stay, gone):
            nonlocal inside, most
            for _ in range(before):
                await asyncio.sleep(0)
            try:
                async with gate.entered():
                    inside += 1
                    most = max(most, inside)
                    try:
                        for _ in range(stay):
                            await asyncio.sleep(0)
                    finally:
                        inside -= 1
            except ApiError:
                pass

        tasks = [asyncio.create_task(one(*each)) for each in plan]
        for _ in range(2):
            await asyncio.sleep(0)
        for task, (_, _, gone) in zip(tasks, plan, strict=True):
            if gone:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert most <= limit and (gate.inside, gate.waiting) == (0, 0)

    asyncio.run(run())
