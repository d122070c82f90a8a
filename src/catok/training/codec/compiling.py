"""torch.compile where it works, plain PyTorch where it does not."""

import logging

import torch

from catok.modules.transformer import TransformerStage
from catok.tokenizer.model import CodecModel

logger = logging.getLogger(__name__)


def compile_codec(codec: CodecModel, audio: torch.Tensor, *, autocast: bool = False) -> bool:
    """Compile every Transformer stage in place, proven by a pass over `audio` `[B, C, T]`, which
    `autocast` does in bfloat16.

    Stages by themselves are compiled in a minute, a whole encoder in many. Names of parameters stay
    as they are. Returns False, with a warning, where this machine cannot compile them; the codec
    then runs as before.
    """
    stages = [module for module in codec.modules() if isinstance(module, TransformerStage)]
    try:
        for stage in stages:
            stage.compile()
        with torch.autocast(audio.device.type, torch.bfloat16, enabled=autocast):
            result = codec(audio)
        result.audio.sum().backward()
        return True
    except Exception as error:  # the compiler's own kinds of error are many
        for stage in stages:
            stage._compiled_call_impl = None
        logger.warning("torch.compile does not work here, going on without: %s", error)
        return False
    finally:
        codec.zero_grad(set_to_none=True)
