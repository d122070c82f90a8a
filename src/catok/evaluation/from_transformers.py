"""Loading models through the package transformers, with errors that say what was wanted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from catok.evaluation.extras import extra
from catok.io.transformers import from_transformers as pretrained


@contextmanager
def from_transformers(
    what: str, source: str | Path, advice: str = ""
) -> Iterator[Callable[..., Any]]:
    """Context with a function: class name and options -> what its `from_pretrained` gives.

    `source`: a local folder, which never touches the network, or a hub id. Raises ValueError when
    transformers is missing, and for whatever fails inside the context: that `what` cannot be
    loaded, why, and `advice`.
    """
    transformers = extra("transformers")

    def load(class_name: str, **options: Any) -> Any:
        loader = getattr(transformers, class_name)
        return pretrained(loader, source, **options)

    try:
        yield load
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        why = str(error).strip().rstrip(".")
        advice = f". {advice}" if advice else ""
        raise ValueError(f"cannot load {what} from {source}: {why}{advice}") from error
