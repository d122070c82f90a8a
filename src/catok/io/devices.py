"""Devices by name, checked before anything is moved to one."""

import torch


def as_device(device: str | torch.device | int) -> torch.device:
    """The device of that name. Raises ValueError that says what to do where there is none such.

    PyTorch itself ends in an AssertionError or a RuntimeError, once something is moved.
    """
    try:
        parsed = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f'no device is called {device!r}: take "cpu", "cuda" or "cuda:1"'
        ) from error
    if parsed.type == "cuda":
        if not torch.cuda.is_available():
            raise ValueError(f'no CUDA device for {str(device)!r}: {_why_no_cuda()}, or take "cpu"')
        if (parsed.index or 0) >= torch.cuda.device_count():
            raise ValueError(
                f"there is no {parsed}: CUDA devices here are 0 to {torch.cuda.device_count() - 1}"
            )
    if parsed.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError(f'no MPS device for {str(device)!r}: take "cpu"')
    return parsed


def _why_no_cuda() -> str:
    if torch.version.cuda is None and torch.version.hip is None:
        return "this PyTorch was built without CUDA, install one with it (pytorch.org)"
    return "no GPU or no driver is found, see what `nvidia-smi` says"
