"""Speech recognisers that tell what is still understood; `registry` builds them by name."""

from catok.evaluation.transcribers.base import Transcriber
from catok.evaluation.transcribers.registry import build_transcriber

__all__ = ["Transcriber", "build_transcriber"]
