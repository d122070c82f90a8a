"""Batches by step: crops are chosen in order, read (in threads if wanted), replaced, collated."""

from __future__ import annotations

from itertools import chain
from typing import Any

from catok.io.files import reason
from catok.training.codec.data.batch import Batch, TrainingRow, collate
from catok.training.codec.data.buckets import Buckets
from catok.training.codec.data.crops import CropRequest, CropSampler, RequestSampler
from catok.training.codec.data.cuts import FILE
from catok.training.codec.data.data_config import DataConfig
from catok.training.codec.data.mixture import Corpora
from catok.training.codec.data.reading import CropReader
from catok.training.codec.data.stream import CropStream

ATTEMPTS = 20  # unreadable recordings in a row before a row is given up


class BatchSource:
    """Gives this rank's rows of any step's batch, always the same for the same seed and step.

    `hours` by domain; empty where recordings are streamed and nobody knows beforehand.
    """

    def __init__(
        self, sampler: RequestSampler, reader: CropReader, *, frame_size: int, samples: int
    ) -> None:
        self._sampler, self._reader = sampler, reader
        self._frame_size, self._samples = frame_size, samples

    @property
    def hours(self) -> dict[str, float]:
        """Hours of audio to draw from, by domain."""
        return dict(self._sampler.hours)

    def batch(self, step: int) -> Batch:
        """The step's batch. Recordings that cannot be read are replaced and reported in it.

        Raises ValueError when 20 in a row cannot be read.
        """
        return self.read(self.requests(step))

    def requests(self, step: int) -> list[CropRequest]:
        """What the step reads. Cheap if called in the order of steps."""
        return self._sampler.rows(step)

    def read(self, requests: list[CropRequest]) -> Batch:
        """The batch of the requests; may be called from several threads."""
        skipped: list[str] = []
        rows = [self._row(request, skipped) for request in requests]
        return collate(rows, frame_size=self._frame_size, samples=self._samples, skipped=skipped)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps besides the step: empty for recordings listed in memory."""
        return self._sampler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Check that the saved run's batches go on here; the step itself is asked for by `batch`.

        Raises ValueError when the number of ranks changed in a streamed or bucketed run.
        """
        current = self.state_dict()
        if state != current:
            raise ValueError(
                f"the run's data state was {state} and is {current}: streams and buckets resume on "
                "as many ranks, or start a new run from the model's folder"
            )

    def _row(self, request: CropRequest, skipped: list[str]) -> TrainingRow:
        for attempt in range(ATTEMPTS):
            crop = request(attempt)
            try:
                return self._reader.read(crop)
            except (ValueError, OSError, RuntimeError, TypeError) as error:
                place = _place(crop.cut)
                skipped.append(f"{place}: {reason(error).removeprefix(place).lstrip()}")
        raise ValueError(f"{ATTEMPTS} recordings in a row cannot be read; {skipped[-1]}")


def open_source(
    config: DataConfig,
    corpora: Corpora,
    *,
    sample_rate: int,
    channels: int,
    frame_size: int,
    seed: int,
    rank: int = 0,
    world: int = 1,
) -> BatchSource:
    """The batches of one rank, in Hz, channels and frames of the tokenizer.

    `corpora`: (`read_cuts(path)`, weight) each, weights for all or for none. Crops are indexed if
    all corpora are in memory, streamed otherwise. Raises ValueError when there is nothing to draw.
    """
    if not corpora:
        raise ValueError("no data: give a corpus")
    if len({weight is None for _, weight in corpora}) > 1:
        raise ValueError("give every corpus a weight, or none of them")
    if not 0 <= rank < world:
        raise ValueError(f"rank {rank} is not one of {world}")
    frames = max(1, round(config.crop_seconds * sample_rate / frame_size))
    samples = frames * frame_size
    seconds = samples / sample_rate
    sampler: RequestSampler
    if config.mode == "buckets":
        sampler, samples = Buckets(corpora, config, seed=seed, rank=rank, world=world), 0
    elif any(cuts.is_lazy for cuts, _ in corpora):
        sampler = CropStream(corpora, config, seconds=seconds, seed=seed, rank=rank, world=world)
    else:
        sampler = CropSampler(corpora, config, seconds=seconds, seed=seed, rank=rank)
    reader = CropReader(config, sample_rate, channels)
    return BatchSource(sampler, reader, frame_size=frame_size, samples=samples)


def check_text(corpora: Corpora) -> None:
    """Raises ValueError when no recording has text; streamed corpora are not looked through."""
    if not corpora or any(cuts.is_lazy for cuts, _ in corpora):
        return
    every = chain.from_iterable(cuts for cuts, _ in corpora)
    if not any(supervision.text for cut in every for supervision in cut.supervisions):
        raise ValueError(
            "a semantic head learns from text, and no recording has any: give manifests with "
            '"text", or train without semantic head'
        )


def _place(cut: Any) -> str:
    """Where a cut's audio lies, for reports."""
    sources = getattr(getattr(cut, "recording", None), "sources", None) or []
    return next((str(s.source) for s in sources if s.type == FILE), str(cut.id))
