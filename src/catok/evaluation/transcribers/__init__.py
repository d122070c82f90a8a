"""Speech recognisers that word errors are counted with; `registry` builds them by name."""

from catok.evaluation.transcribers.base import Transcriber
from catok.evaluation.transcribers.registry import build_transcriber

__all__ = ["Transcriber", "build_transcriber"]
