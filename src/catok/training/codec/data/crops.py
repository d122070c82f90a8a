"""Random crops of recordings listed in memory: each row is a function of seed and step."""

from __future__ import annotations

import random
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from catok.training.codec.data.crop_requests import CropRequest
from catok.training.codec.data.cuts import domain_of
from catok.training.codec.data.data_config import DataConfig, no_recording_of
from catok.training.codec.data.mixture import Corpora, cut_filter, iter_cuts
from catok.training.codec.data.reading import Crop, random_crop

if TYPE_CHECKING:
    from lhotse.cut.data import DataCut as Cut


class CropSampler:
    """Chooses rows; a domain's recordings are drawn in proportion to duration and corpus weight.

    Rank r of `world` draws rows r * B to (r + 1) * B - 1 of the step's global batch, B being
    `config.batch_size`. Raises ValueError when nothing, or a weighted domain, is left to draw.
    """

    def __init__(
        self, corpora: Corpora, config: DataConfig, *, seconds: float, seed: int, rank: int = 0
    ) -> None:
        self.seconds, self.seed, self.weights = seconds, seed, config.domain_weights
        first = rank * config.batch_size
        self._rows = range(first, first + config.batch_size)
        self._cuts: dict[str, list[Cut]] = {}
        masses: dict[str, list[float]] = {}
        self.hours: dict[str, float] = {}
        keep = cut_filter(config)
        for cuts, weight in corpora:
            kept = [cut for cut in iter_cuts(cuts) if keep(cut)]
            total = sum(cut.duration for cut in kept)
            for cut in kept:
                domain = domain_of(cut)
                self._cuts.setdefault(domain, []).append(cut)
                mass = cut.duration if weight is None else weight * cut.duration / total
                masses.setdefault(domain, []).append(mass)
                self.hours[domain] = self.hours.get(domain, 0.0) + cut.duration / 3600
        if not self._cuts:
            raise ValueError("no recording passes domain_weights and min_band_edge")
        absent = set(self.weights) - set(self._cuts)
        if absent:
            raise no_recording_of(absent)
        self._until = {name: list(accumulate(group)) for name, group in masses.items()}

    def rows(self, step: int) -> list[CropRequest]:
        """One request per row of this rank; step may be negative."""
        return [partial(self._draw, step, row) for row in self._rows]

    def state_dict(self) -> dict[str, Any]:
        """Empty: a step says it all."""
        return {}

    def _draw(self, step: int, row: int, attempt: int) -> Crop:
        again = f"/{attempt}" if attempt else ""
        rng = random.Random(f"{self.seed}/{step}/{row}{again}")
        names = list(self._cuts)
        weights = [self.weights.get(name, self._until[name][-1]) for name in names]
        domain = rng.choices(names, weights)[0]
        cut = rng.choices(self._cuts[domain], cum_weights=self._until[domain])[0]
        return random_crop(cut, self.seconds, rng)
