"""Endless streams of recordings: corpora repeated, shuffled and mixed by weight."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from catok.training.codec.data.cuts import band_edge_of, domain_of, is_unreadable
from catok.training.codec.data.data_config import DataConfig, no_recording_of
from catok.training.codec.data.shards import Shards

if TYPE_CHECKING:
    from lhotse import CutSet
    from lhotse.cut.data import DataCut as Cut

Corpora = Sequence[tuple["CutSet", float | None]]


def cut_filter(config: DataConfig, domain: str | None = None) -> Callable[[Cut], bool]:
    """Whether a cut may be drawn, by band edge and domain (None: any that is weighted)."""
    domains = {domain} if domain is not None else set(config.domain_weights)

    def keep(cut: Cut) -> bool:
        wide = band_edge_of(cut) >= config.min_band_edge
        return wide and (not domains or domain_of(cut) in domains)

    return keep


@dataclass(frozen=True)
class ShuffledRepeat:
    """Passes over `parts` without end, their order shuffled anew in each pass.

    Every rank reads its own parts, or, where they hold nothing to keep, all of them. Ends when
    nothing at all is kept.
    """

    parts: Sequence[Iterable[Cut]]
    keep: Callable[[Cut], bool]
    seed: str
    rank: int = 0
    world: int = 1

    def __iter__(self) -> Iterator[Cut]:
        for turn in count():
            order = list(self.parts)
            random.Random(f"{self.seed}/{turn}").shuffle(order)
            parts, found = order[self.rank :: self.world], False
            for cut in filter(self.keep, chain.from_iterable(parts)):
                found = True
                yield cut
            if found:
                continue
            random.Random(f"{self.seed}/{turn}/{self.rank}").shuffle(order)
            for cut in filter(self.keep, chain.from_iterable(order)):
                found = True
                yield cut
            if not found:
                return


@dataclass(frozen=True)
class DurationResampler:
    """Repeats or leaves out cuts so that each comes once per `seconds` of its duration.

    What cannot even be listed comes once, so that it is reported.
    """

    cuts: Iterable[Cut]
    seconds: float
    seed: str

    def __iter__(self) -> Iterator[Cut]:
        due, reported = random.Random(self.seed).random(), set[str]()
        for cut in self.cuts:
            if is_unreadable(cut):
                if cut.id not in reported:
                    reported.add(cut.id)
                    yield cut
                continue
            due += cut.duration / self.seconds
            for _ in range(int(due)):
                yield cut
            due -= int(due)


def mix_corpora(
    corpora: Corpora,
    config: DataConfig,
    transform: Callable[[Iterable[Cut], str], Iterable[Cut]],
    *,
    seed: str,
    rank: int = 0,
    world: int = 1,
) -> CutSet:
    """All corpora as one endless stream; `transform(stream, seed)` is applied to each of them.

    `domain_weights` mix domains and, within a domain, the corpora's weights mix corpora; without
    weights every recording comes once a pass. Iterating raises ValueError where a weighted domain
    has no recording.
    """
    from lhotse import CutSet

    if all(weight is None for _, weight in corpora):
        pools = [([part for cuts, _ in corpora for part in parts_of(cuts)], 1.0)]
    else:
        pools = [(parts_of(cuts), weight or 0.0) for cuts, weight in corpora]

    def stream(domain: str | None) -> CutSet:
        repeated = []
        for index, (parts, _) in enumerate(pools):
            name = f"{seed}/{domain}/{index}"
            loop = ShuffledRepeat(parts, cut_filter(config, domain), name, rank, world)
            repeated.append(CutSet(transform(loop, name)))
        weights = [weight for _, weight in pools]
        return CutSet(_Required(interleave(repeated, weights, f"{seed}/{domain}/{rank}"), domain))

    if not config.domain_weights:
        return stream(None)
    domains, weights = list(config.domain_weights), list(config.domain_weights.values())
    return interleave([stream(domain) for domain in domains], weights, f"{seed}/{rank}")


def interleave(streams: Sequence[CutSet], weights: Sequence[float], seed: str) -> CutSet:
    """The streams as one, each next cut from a stream drawn by its weight."""
    from lhotse import CutSet

    if len(streams) == 1:
        return streams[0]
    number = random.Random(seed).getrandbits(32)
    return CutSet.mux(*streams, weights=list(weights), seed=number)


def iter_cuts(cuts: CutSet) -> Iterator[Cut]:
    """The cuts one by one."""
    return iter(cuts.data)  # type: ignore[arg-type]


def parts_of(cuts: CutSet) -> list[Iterable[Cut]]:
    """What can be shuffled and split: cuts in memory, shards of a stream, else the whole."""
    if isinstance(cuts.data, Shards):
        return list(cuts.data.parts)
    return [_Listed(cuts)] if cuts.is_lazy else [(cut,) for cut in iter_cuts(cuts)]


@dataclass(frozen=True)
class _Listed:
    cuts: CutSet

    def __iter__(self) -> Iterator[Cut]:
        return iter_cuts(self.cuts)


@dataclass(frozen=True)
class _Required:
    """A stream that must not end."""

    cuts: Iterable[Any]
    domain: str | None

    def __iter__(self) -> Iterator[Any]:
        yield from self.cuts
        if self.domain is None:
            raise ValueError("no recording passes domain_weights and min_band_edge")
        raise no_recording_of([self.domain])
