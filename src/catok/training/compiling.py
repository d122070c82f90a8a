"""torch.compile where it works, plain PyTorch where it does not."""

import logging

import torch

from catok.tokenizer.model import CodecModel

logger = logging.getLogger(__name__)


def compile_codec(codec: CodecModel, audio: torch.Tensor) -> bool:
    """Compile encoder and decoder in place, proven by a pass over `audio` `[B, C, T]`.

    Names of parameters stay as they are. Returns False, with a warning, where this machine cannot
    compile them; the codec then runs as before.
    """
    sides = (codec.encoder, codec.decoder)
    try:
        for side in sides:
            side.compile()
        codec(audio).audio.sum().backward()
        return True
    except Exception as error:  # the compiler's own kinds of error are many
        for side in sides:
            side._compiled_call_impl = None
        logger.warning("torch.compile does not work here, going on without: %s", error)
        return False
    finally:
        codec.zero_grad(set_to_none=True)
