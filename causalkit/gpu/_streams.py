"""What only a GPU has: streams, on which work of several threads overlaps, and tensor cores, which multiply faster and less exactly.

Both are settings of the array library, made for a moment and undone. On a CPU they do nothing, so that the code that uses them is the same everywhere.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
from array_api_compat import is_cupy_namespace, is_torch_namespace

from causalkit.gpu._backend import Backend

__all__ = ["own_stream", "synchronize", "tensor_cores"]

# The number by which CuPy knows products that may round their factors to TF32.
CUPY_TF32 = 7
# The setting is the process's: it is held while a product is launched, not while it is computed.
_SETTING = threading.Lock()


@contextmanager
def own_stream(backend: Backend) -> Iterator[None]:
    """Launch what follows in this thread on a stream of its own, and wait for it at the end.

    Parameters
    ----------
    backend : Backend
        Array library and device.

    Yields
    ------
    None
        Nothing; for use in a ``with`` statement.
    """
    if not backend.on_gpu:
        yield
        return
    if is_cupy_namespace(backend.xp):
        stream = importlib.import_module("cupy").cuda.Stream()
        current = stream
    else:
        cuda = importlib.import_module("torch").cuda
        stream = cuda.Stream(backend.device)
        # What was put on the device before is there when this stream begins.
        stream.wait_stream(cuda.current_stream(backend.device))
        current = cuda.stream(stream)
    with current:
        yield
        stream.synchronize()


def synchronize(backend: Backend) -> None:
    """Wait for all that this thread has launched on its stream.

    Parameters
    ----------
    backend : Backend
        Array library and device.
    """
    if not backend.on_gpu:
        return
    if is_cupy_namespace(backend.xp):
        importlib.import_module("cupy").cuda.get_current_stream().synchronize()
    else:
        importlib.import_module("torch").cuda.current_stream(backend.device).synchronize()


def tensor_cores(backend: Backend) -> AbstractContextManager[None]:
    """Allow products of 32-bit matrices to round their factors to TF32 (ten bits after the point), if the backend was made with ``tf32=True``.

    Parameters
    ----------
    backend : Backend
        Array library and device.

    Returns
    -------
    context manager
        Within it products may round; what held before holds again after.
    """
    if not backend.tf32:
        return nullcontext()
    return _cupy_tf32() if is_cupy_namespace(backend.xp) else _torch_tf32(backend)


@contextmanager
def _cupy_tf32() -> Iterator[None]:
    core = importlib.import_module("cupy._core")
    with _SETTING:
        before = core.get_compute_type(np.float32)
        core.set_compute_type(np.float32, CUPY_TF32)
        try:
            yield
        finally:
            core.set_compute_type(np.float32, before)


@contextmanager
def _torch_tf32(backend: Backend) -> Iterator[None]:
    if not is_torch_namespace(backend.xp):
        yield
        return
    matmul = importlib.import_module("torch").backends.cuda.matmul
    with _SETTING:
        before = matmul.allow_tf32
        matmul.allow_tf32 = True
        try:
            yield
        finally:
            matmul.allow_tf32 = before
