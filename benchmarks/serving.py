"""`catok serve` under load: times to the first byte, throughput and memory by concurrent streams.

    python benchmarks/serving.py --pool                 # the models alone, without HTTP
    python benchmarks/serving.py --kinds encode tts     # a server, and so many clients at a time
    python benchmarks/serving.py --beyond               # more clients than are let in

See README.md for the columns.
"""

import argparse
import asyncio
import io
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import torch
from common import load_model, machine, table, write_json
from torch import Tensor

from catok import load_audio, save_audio
from catok.tokenizer.stream_pool import DecoderPool, EncoderPool

SPEECH = Path(__file__).parents[1] / "examples" / "speech.flac"
TEXT = "The quick brown fox jumps over the lazy dog."
KINDS = ("encode", "decode", "tts", "asr")


@contextmanager
def server(log: str | None = None, **settings):
    """A server in a process of its own: its address and process id. `log`: where it writes to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {f"CATOK_SERVE_{k.upper()}": str(v) for k, v in settings.items()}
    output = Path(log or os.devnull).open("wb")  # noqa: SIM115
    process = subprocess.Popen(
        [sys.executable, "-m", "catok", "serve", "--port", str(port), "--device", "cpu"],
        env=os.environ | variables,
        stderr=output,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                if httpx.get(f"{address}/ready").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        yield address, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)
        output.close()


def resident(pid: int) -> float:
    """Megabytes that a process holds."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def bodies(seconds: float, model: str = "tiny") -> dict[str, bytes]:
    """A WAV file of so many seconds, and its codes by the audio tokenizer `model`."""
    audio, rate = load_audio(SPEECH, sample_rate=24_000, channels=1)
    samples = round(seconds * rate)
    audio = audio.repeat(1, -(-samples // audio.shape[1]))[:, :samples]
    wav, cat = io.BytesIO(), io.BytesIO()
    save_audio(wav, audio, rate)
    load_model(model, None).encode(audio[None]).save(cat)
    return {"wav": wav.getvalue(), "cat": cat.getvalue()}


async def one(client, kind: str, data: dict[str, bytes], number: int) -> tuple[float, float, float]:
    """A request: seconds to the first byte and to the last, and seconds of audio in it."""
    ask = {
        "encode": {"url": "/v1/audio/encode?response_format=jsonl", "content": data["wav"]},
        "decode": {"url": "/v1/audio/decode?stream=true", "content": data["cat"]},
        "tts": {
            "url": "/v1/audio/speech",
            "json": {"input": TEXT, "seed": number, "stream": True, "response_format": "pcm"},
        },
        "asr": {
            "url": "/v1/audio/transcriptions",
            "files": {"file": ("a.wav", data["wav"])},
            "data": {"stream": "true", "method": "greedy"},
        },
    }[kind]
    begun = time.perf_counter()
    first, size = None, 0
    async with client.stream("POST", **ask) as answer:
        if answer.status_code != 200:
            await answer.aread()
            raise RuntimeError(f"{answer.status_code}")
        async for part in answer.aiter_raw():
            first = first or time.perf_counter() - begun
            size += len(part)
    seconds = size / 48_000 if kind == "tts" else len(data["wav"]) / 48_000
    return first or 0.0, time.perf_counter() - begun, seconds


async def together(address: str, kind: str, data, count: int, requests: int):
    """So many clients at a time until as many requests are answered."""
    limits = httpx.Limits(max_connections=count + 8)
    numbers, found = iter(range(requests)), []
    async with httpx.AsyncClient(base_url=address, timeout=900, limits=limits) as client:

        async def work():
            for number in numbers:
                found.append(await one(client, kind, data, number))

        begun = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(count)))
        return found, time.perf_counter() - begun


def load(options) -> list[dict]:
    """Every kind at every number of clients."""
    data, rows = bodies(options.seconds), []
    for kind in options.kinds:
        for count in options.streams:
            limit = options.limit or count
            limits = {f"{k}_limit": limit for k in ("speech", "transcription", "codec")}
            with server(**limits, queue_limit=1000, queue_seconds=900) as (address, pid):
                asyncio.run(together(address, kind, data, 1, 1))  # the first is slower
                before = resident(pid)
                requests = max(count, options.requests)
                found, seconds = asyncio.run(together(address, kind, data, count, requests))
                firsts = sorted(each[0] for each in found)
                row = {
                    "kind": kind,
                    "streams": count,
                    "limit": limit,
                    "requests": requests,
                    "first_p50": statistics.median(firsts),
                    "first_p99": firsts[min(len(firsts) - 1, round(0.99 * len(firsts)))],
                    "audio_per_second": sum(each[2] for each in found) / seconds,
                    "memory_before": before,
                    "memory_after": resident(pid),
                    "load_average": os.getloadavg()[0],
                }
                rows.append(row)
                print(
                    json.dumps(
                        {k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}
                    ),
                    flush=True,
                )
    return rows


def beyond(options) -> list[dict]:
    """Many more clients than are let in: what becomes of each."""
    data = bodies(options.seconds)
    limits = {"codec_limit": 4, "queue_limit": 8, "queue_seconds": 2}

    async def run(address):
        counts: dict[str, int] = {}
        limits = httpx.Limits(max_connections=300)
        async with httpx.AsyncClient(base_url=address, timeout=120, limits=limits) as client:

            async def ask():
                answer = await client.post("/v1/audio/encode", content=data["wav"])
                clean = answer.status_code == 200 or "retry-after" in answer.headers
                key = f"{answer.status_code}{'' if clean else ' without Retry-After'}"
                counts[key] = counts.get(key, 0) + 1

            await asyncio.gather(*(ask() for _ in range(256)))
            text = (await client.get("/metrics")).text
            held = [
                x for x in text.splitlines() if x.startswith(("catok_requests_a", "catok_rows"))
            ]
            return counts, held

    with server(**limits) as (address, pid):
        before = resident(pid)
        counts, held = asyncio.run(run(address))
        result = {"answers": counts, "held_after": held, "memory_before": before}
        result["memory_after"] = resident(pid)
    print(json.dumps(result, indent=1))
    return [result]


def pool(options) -> list[dict]:
    """Live streams, a frame at a time, stepped together and one after the other."""
    model, rows = load_model("tiny", None), []
    frames = options.frames
    audio, _ = load_audio(SPEECH, sample_rate=24_000, channels=1)
    for count in options.streams:
        pieces = [
            audio.roll(-n * 4801, 1).repeat(1, 8)[:, : frames * model.frame_size]
            for n in range(count)
        ]
        codes = [model.encode(piece[None]).codes[0] for piece in pieces[:16]]
        for kind, make in (("encode", EncoderPool), ("decode", DecoderPool)):
            given = [pieces, [codes[n % len(codes)] for n in range(count)]][kind == "decode"]
            width = model.frame_size if kind == "encode" else 1
            seconds, results = {}, {}
            for way in ("together", "one at a time"):
                streams = make(model)
                numbers = [streams.open() for _ in range(count)]
                new = model.stream_encoder if kind == "encode" else model.stream_decoder
                sessions = [new() for _ in range(count)]
                out: dict[int, list[Tensor]] = {number: [] for number in numbers}
                begun = time.perf_counter()
                for frame in range(frames):
                    parts = [each[:, frame * width : (frame + 1) * width] for each in given]
                    if way == "one at a time":
                        for number, session, part in zip(numbers, sessions, parts, strict=True):
                            out[number].append(session.push(part)[0])
                        continue
                    for number, part in zip(numbers, parts, strict=True):
                        streams.push(number, part)
                    while streams.busy:
                        for each in streams.step():
                            out[each.stream].append(each.data)
                seconds[way] = time.perf_counter() - begun
                results[way] = [torch.cat(out[number], dim=1) for number in numbers]
            pairs = list(zip(*results.values(), strict=True))
            differ = sum(int((a != b).sum()) for a, b in pairs) if kind == "encode" else 0
            row = {"kind": kind, "streams": count, "frames": frames, "codes_that_differ": differ}
            for way, spent in seconds.items():
                row[way] = count * frames / model.frame_rate / spent
            row["times"] = row["together"] / row["one at a time"]
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pool", action="store_true", help="the models alone")
    parser.add_argument("--beyond", action="store_true", help="256 clients where 4 are let in")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 4, 16, 64, 256])
    parser.add_argument("--limit", type=int, help="let in so many at a time; default: all")
    parser.add_argument("--requests", type=int, default=16, help="at least so many in all")
    parser.add_argument("--seconds", type=float, default=5.0, help="of every recording")
    parser.add_argument("--frames", type=int, default=100, help="of every stream, for --pool")
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    before = os.getloadavg()
    run = pool if options.pool else beyond if options.beyond else load
    rows = run(options)
    if not options.beyond:
        print(table(list(rows[0]), [list(row.values()) for row in rows]))
    setting = {"machine": machine(torch.get_num_threads()), "load_before": before}
    write_json(options.out, {**setting, "rows": rows})


if __name__ == "__main__":
    main()
