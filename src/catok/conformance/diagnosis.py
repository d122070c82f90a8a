"""From which checks fail, and where in them, to what is probably wrong with a port."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from catok.conformance.judging import Outcome

# what arithmetic and weights of bfloat16 leave at least; a wrong formula leaves less
MOSTLY_EQUAL, SMALL_MARGIN, COARSE_SNR = 0.6, 0.02, 20.0


@dataclass(frozen=True)
class Finding:
    """A fault by name, with what points to it and where to look."""

    name: str
    text: str


def findings(outcomes: Sequence[Outcome]) -> list[Finding]:
    """The faults that explain the failures of one variant, the most basic first.

    A fault of the whole pass shows in all other checks; these are then not explained again.
    """
    failed = [outcome for outcome in outcomes if not outcome.passed]
    faults: list[Finding] = []
    for direction in ("encode", "decode"):
        of_direction = [outcome for outcome in failed if outcome.direction == direction]
        for finding in _of_one_direction(of_direction):
            same = [each for each in faults if each.name == finding.name]
            if not same:
                faults.append(finding)
    return faults


def _of_one_direction(failed: Sequence[Outcome]) -> Iterator[Finding]:
    by_check: dict[str, list[Outcome]] = {}
    for outcome in failed:
        by_check.setdefault(outcome.check, []).append(outcome)
    raised = [outcome for outcome in failed if not outcome.frames]
    if raised:
        yield Finding("error", f"{raised[0].check}: {raised[0].fault}")
        by_check = {
            check: left for check, all in by_check.items() if (left := [o for o in all if o.frames])
        }
    if "whole" in by_check:
        yield _of_the_whole_pass(by_check["whole"][0])
        return
    if "partial" in by_check:
        yield _of_the_last_frame(by_check["partial"])
    elif "batch" in by_check:
        yield Finding(
            "batch",
            "recordings in a batch differ from the same alone: rows mix, or padding changes them",
        )
    if "prefix" in by_check:
        wrong = ", ".join(outcome.setting for outcome in by_check["prefix"][:5])
        if "partial" not in by_check:
            yield Finding(
                "prefix",
                f"{wrong} codebooks differ from the first of all: num_quantizers must cut the list "
                "of codebooks and change nothing else",
            )
    if "chunks" in by_check:
        yield _of_a_stream(by_check["chunks"])
        return
    if "pauses" in by_check:
        yield Finding(
            "pauses",
            "a row that waits must keep its position and its keys as they were, and its input must "
            "not matter",
        )
    if "reset" in by_check:
        yield Finding(
            "reset",
            "a row that begins anew keeps something of what it heard: its position must be 0 and "
            "none of its old keys may be seen",
        )


def _of_the_whole_pass(outcome: Outcome) -> Finding:
    if _is_rounding(outcome):
        what = (
            f"the look-ups that differ had a margin of {_median_lost(outcome):.2g} at the median"
            if outcome.direction == "encode"
            else f"sound differs by rounding alone ({outcome.snr():.0f} dB)"
        )
        return Finding(
            "precision",
            f"{what}: arithmetic below float32, or an approximation (tanh for GELU). The quantizer "
            "must be float32 under every autocast",
        )
    if _is_right_at_first(outcome):
        first = outcome.first_wrong
        assert first is not None
        return Finding(
            "window",
            f"a recording at once differs from frame {first.index} on: query i sees the keys j "
            "with 0 <= i - j < window, the window being that of its own stage",
        )
    return Finding(
        "network",
        "a recording at once differs within the first window: weights, order of patches, rotary "
        "positions, norms, activation or quantizer are not as specified",
    )


def _of_the_last_frame(outcomes: Sequence[Outcome]) -> Finding:
    cut = next((outcome for outcome in outcomes if outcome.fault), None)
    if cut is not None:
        return Finding(
            "length",
            f"{cut.fault}: the last partial frame is lost. Frames are counted by ceil, not floor, "
            "and sound is cut to the exact number of samples",
        )
    return Finding(
        "padding",
        "the last partial frame differs: it is completed with zeros before anything else, and no "
        "mask changes its residual",
    )


def _of_a_stream(outcomes: Sequence[Outcome]) -> Finding:
    finest = min(outcomes, key=lambda outcome: outcome.chunk)
    if _is_right_at_first(finest):
        return Finding(
            "ring cache",
            f"streams in chunks of {finest.chunk} are right until the smallest window is full (at "
            f"{finest.window:g} frames), then keys are missing: a cache must hold window - 1 keys "
            "of the past beside those of the chunk, and drop them after attention",
        )
    return Finding(
        "stream",
        "streams differ from the whole recording within the first window: positions must go on "
        "from chunk to chunk, and the keys of all earlier chunks be seen",
    )


def _is_rounding(outcome: Outcome) -> bool:
    if outcome.fault:
        return False
    if outcome.direction == "encode":
        return (outcome.share() or 0) > MOSTLY_EQUAL and _median_lost(outcome) < SMALL_MARGIN
    worst = outcome.snr()
    return worst is not None and worst > COARSE_SNR


def _median_lost(outcome: Outcome) -> float:
    """The median margin of the first look-ups that differ, over frames."""
    return median([frame.lost for frame in outcome.frames if frame.lost is not None] or [0.0])


def _is_right_at_first(outcome: Outcome) -> bool:
    """Whether it is right until a chunk ends beyond the smallest window."""
    first = outcome.first_wrong
    if first is None or outcome.fault:
        return False
    return first.index >= max(1, int(outcome.window) - max(0, outcome.chunk - 1))
