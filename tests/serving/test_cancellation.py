"""Work whose client has gone ends, in whatever moment that is noticed.

`asyncio.wait_for` of Python 3.11 forgets a cancellation that comes as its future is done.
"""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

import catok.serving
from catok.serving.gate import Gate
from catok.serving.sockets.session import Session


def sending(future):
    async def send(frame):
        await future

    service = SimpleNamespace(config=SimpleNamespace(write_seconds=5.0))
    state = SimpleNamespace(service=service, metrics=None, gates={})
    return Session(SimpleNamespace(app=SimpleNamespace(state=state), send=send)).send_bytes(b"a")


def entering(future):
    gate = Gate("codec", 1, 1, 5.0)
    gate.inside = 1
    future.add_done_callback(lambda _: gate._leave())
    return gate._enter()


@pytest.mark.parametrize("wait", [sending, entering])
@pytest.mark.parametrize("moment", range(6))
def test_a_cancellation_is_heeded_in_every_moment(wait, moment):
    async def run():
        future = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(wait(future))
        for _ in range(3):
            await asyncio.sleep(0)
        future.set_result(None)
        for _ in range(moment):
            await asyncio.sleep(0)
        if not task.done():
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())


def test_nothing_waits_in_the_way_that_forgets():
    folder = Path(catok.serving.__file__).parent
    for path in folder.rglob("*.py"):
        assert "wait_for(" not in path.read_text(), path
