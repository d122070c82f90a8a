"""One server for speech and tokens: many requests at a time, from one set of models.

    config = ServerConfig(tts="tiny-tts", asr="tiny-asr")
    app = create_app(load_models(config, "cpu"), config)  # an ASGI application

The names below are imported when they are first used.
"""

from typing import TYPE_CHECKING

from catok.lazy import lazy_names

if TYPE_CHECKING:
    from catok.serving.app import create_app
    from catok.serving.config import ServerConfig
    from catok.serving.models import Models, load_models
    from catok.serving.server import make_server
    from catok.serving.service import Service

__all__ = ["Models", "ServerConfig", "Service", "create_app", "load_models", "make_server"]

__getattr__, __dir__ = lazy_names(
    "catok.serving",
    {
        "Models": "catok.serving.models",
        "ServerConfig": "catok.serving.config",
        "Service": "catok.serving.service",
        "create_app": "catok.serving.app",
        "load_models": "catok.serving.models",
        "make_server": "catok.serving.server",
    },
)
