"""From a model's name to its folder: embedded, local, or fetched from the Hugging Face hub."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

from catok.io.stored_weights import CONFIG

_WEIGHTS, _GRAPHS = ("*.safetensors",), ("*.onnx", "*.weights")
EMBEDDED = Path(__file__).parents[1] / "checkpoints"


class HubOptions(TypedDict, total=False):
    """How a hub id is fetched; embedded models and local folders never touch the network.

    `revision`: branch, tag or commit. `token`: for private and gated models, by default the one
    that is logged in. `cache_dir`: where downloads are kept. `local_files_only`: take what is in
    the cache, without network.
    """

    revision: str | None
    token: str | None
    cache_dir: str | Path | None
    local_files_only: bool


def embedded_models() -> list[str]:
    """Names of the models inside this package."""
    return sorted(path.parent.name for path in EMBEDDED.glob(f"*/{CONFIG}"))


def shown_folder(folder: str | Path) -> str:
    """What to call a folder in messages: an embedded model by its name, others by their path."""
    path = Path(folder)
    return path.name if path.parent == EMBEDDED else str(folder)


def model_name(name_or_path: str | Path) -> str:
    """The last part of a name or path: what a model is called in results and `.cat` files."""
    return os.path.basename(os.path.abspath(name_or_path))


def find_folder(
    name_or_path: str | Path,
    *,
    companions: bool = False,
    graphs: bool = False,
    **hub: Unpack[HubOptions],
) -> Path:
    """The folder of an embedded model, of a local path, or of a hub id, which is downloaded.

    A name of an embedded model is that model, whatever lies in the working directory: the folder of
    that name is "./name", or a `Path`. `companions`: with the sub-folders that only training needs
    (discriminators, semantic head); `graphs`: ONNX graphs instead of weights. Raises ValueError if
    nothing is found.
    """
    name, path = str(name_or_path), Path(name_or_path)
    is_embedded = name in embedded_models()
    if is_embedded and isinstance(name_or_path, str):
        return EMBEDDED / name
    if path.is_dir():
        return path
    if is_embedded:
        return EMBEDDED / name
    if name.count("/") != 1 or name[0] in "./~":
        raise ValueError(
            f"no folder {name!r}: give a local folder, a hub id owner/name, or one of the embedded "
            f"models {embedded_models()}"
        )
    from huggingface_hub import snapshot_download  # late: takes time, and is seldom needed

    try:
        return Path(
            snapshot_download(
                name,
                allow_patterns=["*.json", *(_GRAPHS if graphs else _WEIGHTS)],
                ignore_patterns=None if companions else ["*/*"],
                **hub,
            )
        )
    except Exception as error:  # of the hub's library, the network and the disk
        raise ValueError(f"could not fetch {name!r} from the hub: {_reason(error)}") from error


def find_companion(
    name_or_path: str | Path, config: str, subfolder: str, **hub: Unpack[HubOptions]
) -> Path:
    """The folder that holds the file `config`: what `find_folder` finds, or its `subfolder`.

    So what was published with a model can be asked for by the model's own name.
    """
    folder = find_folder(name_or_path, companions=True, **hub)
    is_below = not (folder / config).exists() and (folder / subfolder / config).exists()
    return folder / subfolder if is_below else folder


def upload_folder(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool = False,
    token: str | None = None,
    repo_type: str = "model",
    card: str | None = None,
    ignore: Sequence[str] = (),
) -> str:
    """Upload a folder to a hub repository, which is made if need be; returns its address.

    `repo_type`: "model" or "dataset". `card`: the README.md, instead of the folder's. `ignore`:
    patterns of files that stay here.

    Raises ConnectionError when the hub cannot be reached, ValueError when it refuses.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    hub = HfApi(token=token)
    try:
        hub.create_repo(repo_id, repo_type=repo_type, private=private, exist_ok=True)
        where: dict[str, Any] = {"repo_id": repo_id, "repo_type": repo_type}
        if card is not None:
            hub.upload_file(path_or_fileobj=card.encode(), path_in_repo="README.md", **where)
        ignored = [*ignore, "README.md"] if card is not None else [*ignore]
        return str(hub.upload_folder(folder_path=str(folder), ignore_patterns=ignored, **where))
    except Exception as error:
        kind = ValueError if isinstance(error, HfHubHTTPError | HFValidationError) else None
        raise (kind or ConnectionError)(
            f"could not upload to {repo_id!r} on the hub: {_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return "access to it is restricted: ask for it on the model's page, and give a token"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "there is no such repository, or a private one: check the name, or give a token"
    if isinstance(error, errors.RevisionNotFoundError):
        return "it has no such revision"
    if isinstance(error, errors.HFValidationError):
        return str(error)
    if isinstance(error, errors.HfHubHTTPError):
        return f"it answered {error.response.status_code}: {error}"
    if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
        return (
            "it is not in the cache, and the hub is not reached (offline, or local_files_only): "
            "check the network, or give a local folder"
        )
    return f"{type(error).__name__} ({error}): check the network, or use a local folder"
