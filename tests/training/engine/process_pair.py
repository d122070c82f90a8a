"""Two processes that work together."""

import os
import socket
import traceback

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from catok.training.engine import distributed
from tests.training.engine.distributed_workers import prepare

WORLD, PATIENCE = 2, 120.0  # seconds; it is seconds even on a busy machine


class Pair:
    """Two processes that call the same function at the same time, as often as asked."""

    def __init__(self) -> None:
        self._pipes: list = []

    def __call__(self, function, *arguments) -> list:
        """`function(group, *arguments)` in both; their results. Raises what either raises."""
        if not self._pipes:
            self._start()
        for pipe in self._pipes:
            pipe.send((function, arguments))
        results = []
        for rank, pipe in enumerate(self._pipes):
            if not pipe.poll(PATIENCE):
                self.stop()
                raise TimeoutError(f"rank {rank} does not answer")
            failed, result = pipe.recv()
            if failed:
                self.stop()
                raise AssertionError(f"rank {rank}:\n{result}")
            results.append(result)
        return results

    def _start(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        context = mp.get_context("spawn")
        self._processes = []
        for rank in range(WORLD):
            mine, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, rank, port), daemon=True)
            process.start()
            self._pipes.append(mine)
            self._processes.append(process)

    def stop(self) -> None:
        """End both processes."""
        for process in self._processes if self._pipes else []:
            process.kill()
            process.join()
        self._pipes = []


def _serve(pipe, rank: int, port: int) -> None:
    torch.set_num_threads(1)
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(WORLD),
    }
    prepare()
    group, _ = distributed.init_distributed(torch.device("cpu"))
    assert dist.is_initialized()
    while True:
        function, arguments = pipe.recv()
        try:
            pipe.send((False, function(group, *arguments)))
        except Exception:
            pipe.send((True, traceback.format_exc()))
