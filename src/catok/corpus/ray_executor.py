"""A job on a Ray cluster: stateful actors, each with a model, take shard after shard.

A broker hands out the numbers of shards; audio is read where it is encoded and never passes
through Ray. An actor asks for its next shard when it has a row free, so that nothing piles up, fast
machines take more shards, and none is idle while there is work. When an actor or its machine dies,
the shards that it had in work go to others.
"""
# Ray's actors and options are made at run time.
# pyright: reportArgumentType=false, reportFunctionMemberAccess=false, reportReturnType=false
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from catok.corpus.encoding import TokenizeSummary, TooManyFailures, encode_shards
from catok.corpus.inputs import read_inputs
from catok.corpus.job import TokenizeConfig, TokenizeJob, settings
from catok.corpus.ledger import TokenFolder
from catok.corpus.recording import Recording
from catok.corpus.storage import storage_at
from catok.io.remote import is_url
from catok.tokenizer.tokenizer import CausalAudioTokenizer

POLL = 0.2  # seconds between looks at the cluster
REPORT = 1.0  # seconds between an actor's reports


class Broker:
    """Which shards are waiting, which are with whom, and what the actors have counted."""

    def __init__(self, shards: Sequence[int]) -> None:
        self._waiting = deque(shards)
        self._taken: dict[int, set[int]] = {}
        self._left = set(shards)
        self._summaries: dict[tuple[int, int], TokenizeSummary] = {}

    def take(self, actor: int) -> int | None:
        """The next shard for an actor; None where none is waiting."""
        if not self._waiting:
            return None
        index = self._waiting.popleft()
        self._taken.setdefault(actor, set()).add(index)
        return index

    def done(self, actor: int, index: int) -> None:
        """A shard is written."""
        self._taken.get(actor, set()).discard(index)
        self._left.discard(index)

    def lost(self, actor: int) -> None:
        """An actor is gone: what it had in work waits again."""
        self._waiting.extendleft(sorted(self._taken.pop(actor, set()), reverse=True))

    def count(self, actor: int, life: int, summary: TokenizeSummary) -> None:
        """What an actor has counted so far in one of its lives."""
        self._summaries[actor, life] = summary

    def state(self) -> tuple[int, int, list[TokenizeSummary]]:
        """Numbers of shards that are left and that are waiting, and all counts."""
        return len(self._left), len(self._waiting), list(self._summaries.values())


class Encoder:
    """A model that works off shards until none is waiting."""

    def __init__(self, number: int, model: str, device: str, dtype: Any, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._number = number
        self._tokenizer = CausalAudioTokenizer.from_pretrained(
            model, device=torch.device(device), dtype=dtype, part="encoder"
        )

    def run(
        self,
        broker: Any,
        life: int,
        folder: TokenFolder,
        shards: dict[int, Sequence[Recording]],
        options: dict[str, Any],
    ) -> None:
        """Encode shards as the broker gives them."""
        import ray

        reported = 0.0

        def given() -> Iterator[tuple[int, Sequence[Recording]]]:
            while (index := ray.get(broker.take.remote(self._number))) is not None:
                yield index, shards[index]

        def report(summary: TokenizeSummary) -> None:
            nonlocal reported
            if time.monotonic() - reported > REPORT:
                reported = time.monotonic()
                broker.count.remote(self._number, life, summary)

        def done(index: int) -> None:
            ray.get(broker.done.remote(self._number, index))

        summary = encode_shards(
            self._tokenizer, folder, given(), **options, report=report, done=done
        )
        ray.get(broker.count.remote(self._number, life, summary))


def tokenize_on_ray(
    model: str,
    inputs: Sequence[str | Path],
    out: str | Path,
    config: TokenizeConfig | None = None,
    *,
    address: str | None = None,
    actors: int | None = None,
    device: str = "auto",
    dtype: Any = "float32",
    report: Callable[[TokenizeSummary], None] = lambda summary: None,
) -> TokenizeSummary:
    """`tokenize` with `actors` models on a Ray cluster; the shards are the same, byte for byte.

    `model`, a name, folder or hub id, `inputs` and `out` have to be the same on all machines: put
    them on a shared file system. `address` of the cluster (None: one that is started here, or that
    is running already in this process). `actors`: by default one for each GPU, or for two CPUs.
    `device`: "auto" is GPUs where the cluster has any. Counts are of shards' first readings: those
    that were in work on machines that died are counted twice.

    Raises ValueError as `tokenize` does, and where the cluster cannot hold a single actor.
    """
    import ray

    config = config or TokenizeConfig()
    if not ray.is_initialized():
        ray.init(address=address, log_to_driver=False, include_dashboard=False)
    resources = ray.cluster_resources()
    gpus = int(resources.get("GPU", 0))
    on_gpu = device == "cuda" or (device == "auto" and gpus > 0)
    count = actors or (gpus if on_gpu else max(1, int(resources.get("CPU", 1)) // 2))
    room = gpus if on_gpu else int(resources.get("CPU", 0))
    if room < 1 or count < 1:
        raise ValueError(f"the cluster has no {'GPU' if on_gpu else 'CPU'}: {dict(resources)}")
    tokenizer = CausalAudioTokenizer.from_pretrained(model, dtype=dtype, part="encoder")
    recordings = read_inputs(inputs, content=config.verify_content)
    out = out if is_url(out) else Path(out).absolute()
    with storage_at(out).lock(""):
        folder = TokenFolder.create(out, settings(tokenizer, config))
        job = TokenizeJob(folder, recordings, config)
        summary = job.summary()
        report(summary)
        shards = dict(job.pending())
        try:
            if shards:
                team = _Team(model, "cuda" if on_gpu else "cpu", dtype, min(count, len(shards)))
                team.work(folder, shards, config, summary, report)
        finally:
            folder.write_failures()
    return summary


class _Team:
    """The actors of a job and their broker."""

    def __init__(self, model: str, device: str, dtype: Any, count: int) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._broker_of = ray.remote(num_cpus=0, scheduling_strategy=here)(Broker).remote
        needs = {"num_cpus": 1, "num_gpus": int(device == "cuda"), "max_restarts": -1}
        make = ray.remote(**needs)(Encoder).remote
        self._actors = [make(number, model, device, dtype, 1) for number in range(count)]

    def work(
        self,
        folder: TokenFolder,
        shards: dict[int, Sequence[Recording]],
        config: TokenizeConfig,
        summary: TokenizeSummary,
        report: Callable[[TokenizeSummary], None],
    ) -> None:
        """Return when all shards are done. Raises what an actor raises, and TooManyFailures."""
        import ray

        broker = self._broker_of(sorted(shards))
        shared = ray.put(shards)
        options = config.encoding | {"max_failures": None}
        lives = dict.fromkeys(range(len(self._actors)), 0)
        base, began = replace(summary), time.perf_counter()

        def start(number: int) -> Any:
            lives[number] += 1
            actor = self._actors[number]
            return actor.run.remote(broker, lives[number], folder, shared, options)

        running = {start(number): number for number in range(len(self._actors))}
        idle: set[int] = set()
        try:
            while True:
                ready, _ = ray.wait(list(running), num_returns=1, timeout=POLL)
                for task in ready:
                    number = running.pop(task)
                    try:
                        ray.get(task)
                        idle.add(number)
                    except ray.exceptions.RayActorError:  # Ray makes it anew where there is room
                        ray.get(broker.lost.remote(number))
                        running[start(number)] = number
                left, waiting, counts = ray.get(broker.state.remote())
                vars(summary).update(vars(base))
                for item in counts:
                    summary.add(item)
                summary.elapsed = time.perf_counter() - began
                report(summary)
                if config.max_failures is not None and summary.failures > config.max_failures:
                    raise TooManyFailures(f"{summary.failures} recordings failed")
                if not left:
                    ray.wait(list(running), num_returns=len(running), timeout=POLL)
                    return
                if waiting and idle:  # shards of an actor that died
                    number = idle.pop()
                    running[start(number)] = number
        finally:
            for actor in (*self._actors, broker):
                ray.kill(actor)
