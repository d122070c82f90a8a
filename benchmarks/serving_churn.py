"""`catok serve` among clients that come and go: what it holds on to, and whether it ever errs.

    python benchmarks/serving_churn.py --requests 10000 --minutes 60 --out churn.json

Good requests, disconnects, half uploads, garbage, slow readers and nonsense, over HTTP and
WebSockets, `--clients` at a time, until there were as many requests and as many minutes.
Every good answer is compared with that of a request alone. Memory, threads and open files of the
server are noted as it goes.
"""

import argparse
import asyncio
import io
import itertools
import json
import os
import random
import time
from pathlib import Path

import httpx2 as httpx
import websockets
from common import machine, write_json

from catok import Encoded
from serving import TEXT, bodies, resident, server


def held(pid: int) -> dict[str, float]:
    """What the process holds."""
    home = Path(f"/proc/{pid}")
    found = {"memory": round(resident(pid), 1), "files": len(list((home / "fd").iterdir()))}
    return found | {"threads": len(list((home / "task").iterdir()))}


class Churn:
    """The clients."""

    def __init__(self, address: str, data: dict[str, bytes], client: httpx.AsyncClient) -> None:
        self.client, self.data = client, data
        host, _, port = address.removeprefix("http://").partition(":")
        self.place = host, int(port)
        self.counts: dict[str, int] = {}
        self.wrong: list[str] = []
        self.known: dict[str, bytes] = {}
        self.seeds: dict[int, int] = {}  # by codebooks: with which the model says something

    async def good(self, kind: str, number: int, keep: bool = False) -> None:
        """A request whose answer is known."""
        if kind == "encode":
            answer = await self.client.post("/v1/audio/encode", content=self.data["wav"])
        elif kind == "decode":
            answer = await self.client.post("/v1/audio/decode", content=self.data["cat"])
        else:
            depth = 1 + number % 4
            seed = self.seeds[depth] if self.seeds.get(depth) is not None else number
            kind = f"speech {seed} {depth}"
            fields = {"input": TEXT, "seed": seed, "num_quantizers": depth, "max_seconds": 1.0}
            answer = await self.client.post(
                "/v1/audio/speech", json=fields | {"response_format": "cat"}
            )
        if answer.status_code in (429, 503):
            self.note("turned away")
            return
        if answer.status_code != 200:
            if not (keep and "no_speech" in answer.text):
                self.wrong.append(f"{kind}: {answer.status_code} {answer.text[:200]}")
            return
        found = answer.content
        if kind == "decode":  # sound rounds with the batch: its length is compared
            found = str(len(found)).encode()
        elif kind != "encode":
            found = Encoded.load(io.BytesIO(found)).codes.numpy().tobytes()
        if keep:
            self.known[kind] = found
            if kind.startswith("speech"):
                self.seeds[depth] = seed
        elif self.known[kind] != found:
            self.wrong.append(f"{kind}: another answer")
        self.note("good")

    async def socket(self, how: str, dice: random.Random) -> None:
        """A session that encodes: to its `end`, away in the `middle`, or with `garbage` in it."""
        host, port = self.place
        address = f"ws://{host}:{port}/v1/audio/encode/stream"
        pcm, found = self.data["wav"][44:], []
        try:
            async with websockets.connect(address, open_timeout=300) as socket:
                await socket.send(json.dumps({"type": "session.config", "codes": "binary"}))
                await socket.recv()
                while pcm:
                    size = 2 * dice.randrange(1, 10_000)
                    await socket.send(pcm[:size])
                    pcm = pcm[size:]
                    if how == "middle" and dice.random() < 0.3:
                        socket.transport.abort()
                        return
                    if how == "garbage" and (not pcm or dice.random() < 0.3):
                        await socket.send(dice.randbytes(dice.randrange(1, 99)).decode("latin-1"))
                        break
                await socket.send(json.dumps({"type": "input.done"}))
                async for message in socket:
                    if isinstance(message, bytes):
                        found.append(message)
                        continue
                    what = json.loads(message)["type"]
                    if what != ("error" if how == "garbage" else "output.done"):
                        self.wrong.append(f"socket, {how}: {message[:200]}")
                    break
        except websockets.InvalidStatus as refused:
            if refused.response.status_code not in (429, 503):
                self.wrong.append(f"socket: {refused!r}")
            self.note("turned away")
            return
        except websockets.ConnectionClosed as closed:
            if how == "end":
                self.wrong.append(f"socket: {closed!r}")
            return
        if how == "end" and b"".join(found) != self.known.setdefault("socket", b"".join(found)):
            self.wrong.append("socket: other codes")
        self.note("good")

    async def raw(self, data: bytes, read: int, wait: float) -> None:
        """Bytes to the server, and away after some answer or time."""
        reader, writer = await asyncio.open_connection(*self.place)
        try:
            writer.write(data)
            await writer.drain()
            if read:
                await asyncio.wait_for(reader.read(read), wait)
            else:
                await asyncio.sleep(wait)
        except (OSError, TimeoutError):
            pass
        finally:
            writer.transport.abort()

    def request(self, path: str, body: bytes, length: int | None = None, kind: str = "") -> bytes:
        kind = kind or "application/json"
        length = len(body) if length is None else length
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\n"
        return f"{head}content-length: {length}\r\n\r\n".encode() + body

    async def step(self, number: int) -> None:
        """One client of some kind."""
        dice = random.Random(number)
        what = dice.choice(
            ["encode", "decode", "speech", "gone", "half", "garbage", "slow", "nonsense", "socket"]
        )
        if what in ("encode", "decode", "speech"):
            await self.good(what, number)
            return
        if what == "socket":
            await self.socket(dice.choice(["end", "middle", "garbage"]), dice)
            return
        self.note(what)
        speech = {"input": TEXT, "seed": number, "stream": True, "max_seconds": 3.0}
        body = json.dumps(speech).encode()
        if what == "gone":
            await self.raw(self.request("/v1/audio/speech", body), dice.choice([0, 1, 9000]), 0.2)
        elif what == "half":
            whole = len(self.data["wav"])
            part = self.data["wav"][: dice.randrange(whole)]
            kind = dice.choice(["audio/wav", "audio/pcm", "multipart/form-data; boundary=x"])
            await self.raw(self.request("/v1/audio/encode", part, whole, kind), 0, 0.1)
        elif what == "garbage":
            await self.raw(dice.randbytes(dice.randrange(1, 2000)), 100, 0.5)
        elif what == "slow":
            path = "/v1/audio/decode?stream=true"
            await self.raw(self.request(path, self.data["cat"], kind="audio/x"), 1, 1.0)
        else:
            path = dice.choice(["speech", "transcriptions", "decode", "encode", "voices"])
            junk = dice.choice([b"{", b"[1]", b'{"codes":[[-1]]}', dice.randbytes(300)])
            answer = await self.client.post(f"/v1/audio/{path}", content=junk)
            if answer.status_code not in (400, 429, 503) or "Traceback" in answer.text:
                self.wrong.append(f"nonsense to {path}: {answer.status_code}")

    def note(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


async def run(options, address: str, pid: int) -> dict:
    limits = httpx.Limits(max_connections=options.clients + 8)
    async with httpx.AsyncClient(base_url=address, timeout=300, limits=limits) as client:
        churn = Churn(address, bodies(1.0, options.model), client)
        for kind in ("encode", "decode"):
            await churn.good(kind, 0, keep=True)
        for number in range(400):
            if churn.seeds.get(1 + number % 4) is None:
                await churn.good("speech", number, keep=True)
        await churn.socket("end", random.Random(0))
        done, notes = 0, [held(pid)]
        begun = time.monotonic()
        numbers = itertools.takewhile(
            lambda n: n < options.requests or time.monotonic() - begun < options.minutes * 60,
            itertools.count(),
        )

        async def work() -> None:
            nonlocal done
            for number in numbers:
                try:
                    await churn.step(number)
                except (httpx.TransportError, OSError) as error:
                    churn.wrong.append(f"{number}: {error!r}")
                done += 1
                if done % max(1, options.requests // 10) == 0:
                    minutes = round((time.monotonic() - begun) / 60, 1)
                    notes.append({"requests": done, "minutes": minutes} | held(pid))
                    print(json.dumps(notes[-1]), flush=True)

        await asyncio.gather(*(work() for _ in range(options.clients)))
        await asyncio.sleep(3)
        text = (await client.get("/metrics")).text
        rows = [x for x in text.splitlines() if x.startswith(("catok_rows", "catok_requests_a"))]
        return {
            "requests": done,
            "seconds": time.monotonic() - begun,
            "counts": churn.counts,
            "wrong": churn.wrong[:20],
            "wrong_count": len(churn.wrong),
            "held": [*notes, held(pid)],
            "rows_after": rows,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000, help="at least")
    parser.add_argument("--minutes", type=float, default=0.0, help="at least")
    parser.add_argument("--clients", type=int, default=16, help="at a time")
    parser.add_argument("--model", default="tiny", help="audio tokenizer")
    parser.add_argument("--tts", default="tiny-tts", help="model that speaks its codes")
    parser.add_argument("--asr", default="tiny-asr", help="model that reads them")
    parser.add_argument("--log", help="file for the server's log")
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args()
    models = {"tokenizer": options.model, "tts": options.tts, "asr": options.asr}
    limits = {"queue_seconds": 60, "write_seconds": 5, "read_seconds": 5}
    with server(options.log, **models, **limits) as (address, pid):
        result = asyncio.run(run(options, address, pid))
    print(json.dumps({k: v for k, v in result.items() if k != "held"}, indent=1))
    write_json(options.out, {"machine": machine(1), "load": os.getloadavg(), **result})


if __name__ == "__main__":
    main()
