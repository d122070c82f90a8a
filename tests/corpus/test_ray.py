"""A job on a real cluster of two nodes: what is killed is made again, to the same bytes."""

import os
import signal
import time
from threading import Thread

import numpy as np
import pytest
import soundfile

from catok import CausalAudioTokenizer
from catok.corpus import TokenizeConfig, tokenize, tokenize_on_ray
from catok.corpus.ray_executor import Broker

pytestmark = pytest.mark.slow

CONFIG = TokenizeConfig(shard_size=2, rows=2, frames=2)


def test_a_broker_gives_each_shard_until_it_is_done():
    broker = Broker([3, 4, 5])
    assert [broker.take(0), broker.take(1), broker.take(0), broker.take(1)] == [3, 4, 5, None]
    broker.done(0, 3)
    broker.lost(0)
    assert broker.state()[:2] == (2, 1)
    assert broker.take(1) == 5
    for index in (4, 5):
        broker.done(1, index)
    assert broker.state()[:2] == (0, 0)


@pytest.fixture
def cluster():
    import ray
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 3})
    second = found.add_node(num_cpus=3)
    ray.init(address=found.address, log_to_driver=False)
    yield found, second
    ray.shutdown()
    found.shutdown()


def test_a_killed_worker_and_a_lost_node(small_model, cluster, tmp_path):
    nodes, second = cluster
    speech, out, whole = tmp_path / "speech", tmp_path / "out", tmp_path / "whole"
    speech.mkdir()
    draw = np.random.default_rng(0)
    for number in range(40):
        audio = 0.1 * draw.standard_normal(12_000 * (1 + number % 4))
        soundfile.write(speech / f"{number:02d}.wav", audio, 24_000)
    (speech / "bad.wav").write_bytes(b"none")
    model = str(tmp_path / "model")
    small_model.save_pretrained(model)

    def shards():
        return len(list(out.glob("shard-*")))

    def disturb():
        deadline = time.monotonic() + 60
        while shards() < 3 and time.monotonic() < deadline:
            time.sleep(0.005)
        victim = _encoders(nodes.list_all_nodes())[0]
        os.kill(victim, signal.SIGKILL)
        killed.append(victim)
        while shards() < 8 and time.monotonic() < deadline:
            time.sleep(0.005)
        killed.append(len(_encoders([second])))
        nodes.remove_node(second, allow_graceful=False)

    killed = []
    thread = Thread(target=disturb)
    thread.start()
    summary = tokenize_on_ray(model, [speech], out, CONFIG, actors=3)
    thread.join()
    assert len(killed) == 2 and killed[1] >= 1, "the node had no work"
    assert (summary.total, summary.kept) == (41, 0)
    tokenize(CausalAudioTokenizer.from_pretrained(model), [speech], whole, CONFIG)
    for file in sorted(whole.glob("shard-*")):
        assert (out / file.name).read_bytes() == file.read_bytes()
    assert (out / "failed.jsonl").read_bytes() == (whole / "failed.jsonl").read_bytes()
    assert shards() == 21
    again = tokenize_on_ray(model, [speech], out, CONFIG)
    assert (again.kept, again.recordings) == (41, 0)


def _encoders(nodes):
    """Processes of actors on these nodes."""
    raylets = {info.process.pid for node in nodes for info in node.all_processes["raylet"]}
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                title = file.read()
            with open(f"/proc/{pid}/stat") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if title.startswith(b"ray::Encoder") and parent in raylets:
            found.append(int(pid))
    return found
