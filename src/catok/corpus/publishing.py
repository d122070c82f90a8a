"""Token shards as a data set on the Hugging Face hub."""

from pathlib import Path

from catok.corpus.ledger import TokenFolder
from catok.corpus.stats import token_stats
from catok.io.hub import upload_folder
from catok.io.remote import is_url


def push_to_hub(
    path: str | Path, repo_id: str, *, private: bool = False, token: str | None = None
) -> str:
    """Upload a folder of token shards with a card that says what the codes are; returns its URL.

    `datasets.load_dataset(repo_id)` reads shards of format "parquet". Raises ValueError where the
    folder holds none or the hub refuses, ConnectionError where it cannot be reached.
    """
    if is_url(path):
        raise ValueError(f"{path} is not on this machine: copy it with catok tokens convert")
    return upload_folder(
        path,
        repo_id,
        private=private,
        token=token,
        repo_type="dataset",
        card=dataset_card(path),
        ignore=(".lock", "part-*", "decoded/*"),
    )


def dataset_card(path: str | Path) -> str:
    """README.md of a data set: what the codes were made with, how much there is, how to read it."""
    folder = TokenFolder.open(path)
    stats, space = token_stats(path), folder.settings.space
    configs = ""
    if folder.settings.format == "parquet":
        configs = (
            "configs:\n- config_name: default\n  data_files:\n  - split: train\n"
            '    path: "shard-*.parquet"\n'
        )
    return f"""---
tags: [audio, catok]
{configs}---

Codes of {stats.rows} recordings, {stats.hours:.1f} hours, made with catok {space.version}.

| | |
|---|---|
| model | `{space.model}` |
| weight hash | `{space.weight_hash}` |
| arithmetic | {space.dtype} |
| codebooks | {space.num_quantizers} of {space.codebook_size} codes |
| frames per second | {space.frame_rate:g} |
| audio | {space.sample_rate} Hz, {space.channels} channel(s) |
| format | {folder.settings.format} |

`codes` is a flat list, frame by frame: `np.reshape(codes, (num_frames, num_codebooks))`. Codes of
one model mean nothing to another: decode them with weights of the same hash.
"""
