"""`catok serve`: speech and tokens over HTTP."""

from typing import Annotated

from tyro.conf import arg

from catok.cli.common import command

_CONFIG = "(default: the configuration's, else {})"


def _default(value: str) -> str:
    return _CONFIG.format(value)


@command
def run(
    config: Annotated[
        str | None,
        arg(
            aliases=["-c"],
            metavar="FILE",
            help="A TOML file of settings, see docs/serving.md. Variables such as "
            "CATOK_SERVE_PORT go before it, options before both.",
            help_behavior_hint="",
        ),
    ] = None,
    host: Annotated[
        str | None,
        arg(metavar="HOST", help="Where to listen.", help_behavior_hint=_default("127.0.0.1")),
    ] = None,
    port: Annotated[
        int | None,
        arg(metavar="N", help="0 for a free one.", help_behavior_hint=_default("8000")),
    ] = None,
    wyoming_port: Annotated[
        int | None,
        arg(
            metavar="N",
            help="Where to listen for Home Assistant.",
            help_behavior_hint=_default("nowhere"),
        ),
    ] = None,
    model: Annotated[
        str | None,
        arg(
            metavar="M",
            help="Audio tokenizer of encode and decode.",
            help_behavior_hint=_default("tiny"),
        ),
    ] = None,
    tts: Annotated[
        str | None,
        arg(
            metavar="M",
            help='Model that speaks; "" for none.',
            help_behavior_hint=_default("tiny-tts"),
        ),
    ] = None,
    asr: Annotated[
        str | None,
        arg(
            metavar="M",
            help='Model that writes down; "" for none.',
            help_behavior_hint=_default("tiny-asr"),
        ),
    ] = None,
    voices: Annotated[
        str | None,
        arg(
            metavar="FOLDER",
            help="Where voices are kept.",
            help_behavior_hint=_default("in memory"),
        ),
    ] = None,
    device: Annotated[
        str | None,
        arg(
            metavar="auto|cpu|cuda",
            help="auto: the GPU where there is one.",
            help_behavior_hint=_default("auto"),
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        arg(
            metavar="float32|bfloat16|float16",
            help="Arithmetic of the language models.",
            help_behavior_hint=_default("float32"),
        ),
    ] = None,
) -> int:
    """Serve speech and tokens over HTTP, to OpenAI's clients and others.

    SIGINT and SIGTERM end the server when what runs is finished. The log is one JSON object a line
    on stderr, without texts or audio. A key is set by CATOK_SERVE_API_KEY or in the file.
    """
    import gc
    import logging

    from catok.extras import require

    require("serve")

    from catok.serving.config import ServerConfig

    settings = ServerConfig.load(
        config,
        host=host,
        port=port,
        wyoming_port=wyoming_port,
        tokenizer=model,
        tts=tts,
        asr=asr,
        voices=voices,
        device=device,
        dtype=dtype,
    )

    from catok.cli.loading import pick_device
    from catok.cli.terminal import print_note
    from catok.serving.app import create_app
    from catok.serving.guard import JsonLines
    from catok.serving.models import load_models
    from catok.serving.server import make_server

    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("catok").setLevel(logging.INFO)
    logging.captureWarnings(True)
    app = create_app(load_models(settings, pick_device(settings.device)), settings)
    server = make_server(app, settings)
    gc.freeze()  # the models stay: the collector need not look through them while others wait
    address = f"[{settings.host}]" if ":" in settings.host else settings.host
    print_note(f"catok: serving on http://{address}:{settings.port or '(a free port)'}")
    server.run()
    return 0 if server.started else 1
