"""Training data: corpora of any common layout, as batches that a resumed run gets again.

corpora = [(read_cuts("data/train.jsonl"), None)]
source = open_source(config, corpora, sample_rate=24_000, channels=1, frame_size=1920, seed=0)
batch = source.batch(step)
"""

from catok.training.codec.data.batch import Batch
from catok.training.codec.data.data_config import CorpusConfig, DataConfig
from catok.training.codec.data.manifests import left_out, read_cuts
from catok.training.codec.data.mixture import Corpora
from catok.training.codec.data.source import BatchSource, check_text, open_source

__all__ = [
    "Batch",
    "BatchSource",
    "Corpora",
    "CorpusConfig",
    "DataConfig",
    "check_text",
    "left_out",
    "open_source",
    "read_cuts",
]
