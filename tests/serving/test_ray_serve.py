"""Two replicas behind Ray Serve answer as one server; where the extra serve-ray is installed."""

import concurrent.futures
import json
import socket
import urllib.request
from importlib.util import find_spec

import pytest
import torch

from catok import CausalAudioTokenizer
from catok.serving.config import ServerConfig
from catok.serving.formats import as_pcm, from_pcm
from tests.serving.conftest import noise

installed = all(find_spec(name) for name in ("ray", "aiohttp_cors", "grpc"))
pytestmark = pytest.mark.skipif(not installed, reason="ray[serve] (extra serve-ray) is missing")


@pytest.fixture
def address():
    import ray
    from ray import serve

    from catok.serving.ray_serve import deploy

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": port})
        serve.run(deploy(ServerConfig(tts="", asr=""), 2, cpus=0.5), name="catok")
        deployment = serve.status().applications["catok"].deployments["catok"]
        assert deployment.replica_states == {"RUNNING": 2}
        yield f"127.0.0.1:{port}"
        serve.shutdown()
    finally:
        ray.shutdown()


def test_two_replicas_give_the_codes_of_the_library(address):
    tok = CausalAudioTokenizer.from_pretrained("tiny")
    audios = [from_pcm(as_pcm(noise(20_000 + 777 * n, seed=n)), 1) for n in range(16)]

    def encode(audio):
        where = f"http://{address}/v1/audio/encode?response_format=json"
        asked = urllib.request.Request(where, as_pcm(audio), {"content-type": "audio/pcm"})
        with urllib.request.urlopen(asked, timeout=120) as answer:
            return torch.tensor(json.load(answer)["codes"])

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for audio, codes in zip(audios, pool.map(encode, audios), strict=True):
            assert torch.equal(codes, tok.encode(audio[None]).codes[0])

    from websockets.sync.client import connect

    with connect(f"ws://{address}/v1/audio/encode/stream") as socket_:
        socket_.send(json.dumps({"type": "session.config"}))
        assert json.loads(socket_.recv())["type"] == "session.started"
