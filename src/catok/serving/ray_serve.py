"""The server on several machines: the same application as a deployment of Ray Serve.

    serve run catok.serving.ray_serve:build config=/etc/catok/serve.toml replicas=4

Every replica has its own models and limits. Voices that clients add are known to the others only if
`voices` is a folder that all of them see, and after they start anew.
"""

from typing import Any

from fastapi import FastAPI
from ray import serve
from ray.serve import Application

from catok.serving.app import create_app
from catok.serving.config import ServerConfig
from catok.serving.models import load_models


def build(arguments: dict[str, str] | None = None) -> Application:
    """What `serve run` deploys. Arguments: `config`, a TOML file; `replicas` (1); `cpus` and `gpus`
    of each (1 and 0).

    Raises ValueError on others, and on a configuration that cannot be read.
    """
    given = dict(arguments or {})
    path, replicas = given.pop("config", None), int(given.pop("replicas", "1"))
    cpus, gpus = float(given.pop("cpus", "1")), float(given.pop("gpus", "0"))
    if given:
        known = "config, replicas, cpus, gpus"
        raise ValueError(f"unknown arguments {sorted(given)}; known are {known}")
    return deploy(ServerConfig.load(path), replicas, cpus=cpus, gpus=gpus)


def deploy(
    config: ServerConfig, replicas: int = 1, *, cpus: float = 1, gpus: float = 0
) -> Application:
    """So many replicas of the server. Their proxy limits nothing: each replica does."""
    most = config.speech_limit + config.transcription_limit + config.codec_limit
    waiting = 3 * config.queue_limit + config.session_limit
    options: dict[str, Any] = {
        "name": "catok",
        "num_replicas": replicas,
        "max_ongoing_requests": most + waiting + 16,  # health and metrics besides
        "ray_actor_options": {"num_cpus": cpus, "num_gpus": gpus},
        "graceful_shutdown_timeout_s": config.stop_seconds,
    }

    def make_app() -> FastAPI:
        return create_app(load_models(config, "cuda" if gpus else "cpu"), config)

    @serve.deployment(**options)
    @serve.ingress(make_app)
    class Server:
        """Everything is in the application."""

    return Server.bind()
