"""One array library on one device: its namespace, and the few functions that the array API standard lacks.

Everything is factorised in 64-bit floats. Where 32 bits are enough, the caller says so.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from array_api_compat import is_cupy_namespace, is_numpy_namespace, is_torch_namespace
from numpy.typing import NDArray
from scipy import linalg

from causalkit.exceptions import DeviceError, MissingDependencyError, ParameterError

Array: TypeAlias = Any
BackendName: TypeAlias = Literal["auto", "numpy", "cupy", "torch"]
DeviceName: TypeAlias = str

__all__ = ["Array", "Backend", "get_backend"]

LIBRARIES = ("numpy", "cupy", "torch")
INSTALL = {
    "cupy": "pip install 'causalkit[gpu]' (or the cupy wheel of your CUDA version)",
    "torch": "pip install 'causalkit[torch]'",
}


@dataclass(frozen=True)
class Backend:
    """An array library on a device.

    Parameters
    ----------
    xp : module
        Namespace of the array API standard, as ``array_api_compat`` gives it.
    device : str or None, default=None
        Device that new arrays go to; None for the library's default.
    fused : bool, default=False
        Whether Gaussian kernels are factored by one launch of a kernel written for it, instead of hundreds of array calls (NumPy and CuPy).
    tf32 : bool, default=False
        Whether the products that give the variance of a statistic may round their 32-bit factors to TF32 (CuPy and torch, on a GPU).

    Examples
    --------
    >>> from causalkit.gpu import get_backend
    >>> backend = get_backend("numpy")
    >>> backend.to_numpy(backend.cholesky(backend.asarray([[4.0]])))
    array([[2.]])
    """

    xp: Any
    device: str | None = None
    fused: bool = False
    tf32: bool = False

    @property
    def name(self) -> str:
        """Name of the array library."""
        return str(self.xp.__name__).removeprefix("array_api_compat.")

    @property
    def on_gpu(self) -> bool:
        """Whether arrays live on a GPU."""
        return bool(is_cupy_namespace(self.xp)) or (self.device or "cpu").startswith("cuda")

    # -- to and from the host ------------------------------------------------------------------------------------------------

    def asarray(self, values: Any, dtype: str = "float64") -> Array:
        """Put host values on the device.

        Parameters
        ----------
        values : array_like
            Values on the host.
        dtype : str, default="float64"
            Name of the data type.

        Returns
        -------
        Array
            An array of this library.
        """
        host = np.ascontiguousarray(values, dtype=dtype)
        return self.xp.asarray(host, device=self.device) if self._takes_device else self.xp.asarray(host)

    @property
    def _takes_device(self) -> bool:
        return bool(is_torch_namespace(self.xp)) and self.device is not None

    def to_numpy(self, array: Array) -> NDArray[Any]:
        """Bring an array to the host.

        Parameters
        ----------
        array : Array
            An array of this library.

        Returns
        -------
        numpy.ndarray
            The same values.
        """
        if is_cupy_namespace(self.xp):
            return np.asarray(array.get())
        return np.asarray(array.cpu() if is_torch_namespace(self.xp) else array)

    def zeros(self, shape: tuple[int, ...], like: Array) -> Array:
        """Return zeros of the data type and on the device of another array.

        Parameters
        ----------
        shape : tuple of int
            Shape of the new array.
        like : Array
            The other array.

        Returns
        -------
        Array
            Zeros.
        """
        return self.xp.zeros(shape, dtype=like.dtype, device=like.device)

    def take(self, array: Array, rows: NDArray[np.intp], axis: int = 0) -> Array:
        """Return rows (or columns) by their positions, given on the host.

        Parameters
        ----------
        array : Array
            Where they are taken from.
        rows : numpy.ndarray of int, shape (k,)
            Positions along the axis.
        axis : int, default=0
            The axis.

        Returns
        -------
        Array
            A copy of what is at these positions.
        """
        if is_numpy_namespace(self.xp):
            return np.take(array, rows, axis=axis)
        return self.xp.take(array, self.asarray(rows, "int64"), axis=axis)

    # -- beyond the standard ---------------------------------------------------------------------------------------------------

    def cholesky(self, matrix: Array) -> Array:
        """Return the lower Cholesky factor of a positive definite matrix, or of each in a stack.

        Parameters
        ----------
        matrix : Array, shape (..., m, m)
            Positive definite.

        Returns
        -------
        Array, shape (..., m, m)
            Lower triangular. With CuPy a matrix that is not positive definite gives numbers that are not finite, since to look at the status of each
            factorisation would wait for the device; who brings results to the host checks them.
        """
        if is_numpy_namespace(self.xp) and matrix.ndim == 2:
            return linalg.cholesky(matrix, lower=True, check_finite=False)
        if is_cupy_namespace(self.xp):
            with importlib.import_module("cupyx").errstate(linalg="ignore"):
                return self.xp.linalg.cholesky(matrix)
        return self.xp.linalg.cholesky(matrix)

    def eigh(self, matrix: Array) -> tuple[Array, Array]:
        """Return eigenvalues, ascending, and eigenvectors of a symmetric matrix.

        Parameters
        ----------
        matrix : Array, shape (m, m)
            Symmetric.

        Returns
        -------
        (Array of shape (m,), Array of shape (m, m))
            Eigenvalues, and eigenvectors in columns.
        """
        if is_numpy_namespace(self.xp):
            values, vectors = linalg.eigh(matrix, check_finite=False, driver="evd")
        else:
            values, vectors = self.xp.linalg.eigh(matrix)
        return values, vectors

    def solve_lower(self, factor: Array, right: Array, *, transposed: bool = False) -> Array:
        """Solve L X = B, or L' X = B, for a lower triangular L.

        Parameters
        ----------
        factor : Array, shape (m, m)
            Lower triangular.
        right : Array, shape (m, k)
            Right-hand sides.
        transposed : bool, default=False
            Solve with L'.

        Returns
        -------
        Array, shape (m, k)
            Solutions.
        """
        if is_numpy_namespace(self.xp):
            trans = 1 if transposed else 0
            return linalg.solve_triangular(factor, right, trans=trans, lower=True, check_finite=False)
        if is_cupy_namespace(self.xp):
            solve = importlib.import_module("cupyx.scipy.linalg").solve_triangular
            return solve(factor, right, trans=1 if transposed else 0, lower=True)
        matrix = factor.mT if transposed else factor
        if is_torch_namespace(self.xp):
            return self.xp.linalg.solve_triangular(matrix, right, upper=transposed)
        return self.xp.linalg.solve(matrix, right)

    def free_bytes(self) -> int:
        """Return the memory that is free on the device, in bytes.

        Returns
        -------
        int
            Bytes.
        """
        if is_cupy_namespace(self.xp):
            cupy = importlib.import_module("cupy")
            pool = cupy.get_default_memory_pool()
            return int(cupy.cuda.runtime.memGetInfo()[0]) + int(pool.free_bytes())
        if self.on_gpu:
            return int(importlib.import_module("torch").cuda.mem_get_info(self.device)[0])
        return free_host_bytes()


def free_host_bytes() -> int:
    """Return the memory of the host that is available, or all of it where the system does not tell, in bytes."""
    import os

    try:
        with open("/proc/meminfo", encoding="ascii") as lines:  # noqa: PTH123 - a device file, not a path of the user
            kilobytes = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable")]
        return 1024 * kilobytes[0]
    except (OSError, IndexError, ValueError):
        pages = os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 2**20
        return int(pages) * 4096


def installed(name: str) -> bool:
    """Tell whether an array library is installed, without importing it."""
    return importlib.util.find_spec(name) is not None


def cuda_devices(name: str) -> int:
    """Return how many CUDA devices an installed library sees."""
    try:
        module = importlib.import_module(name)
        if name == "cupy":
            return int(module.cuda.runtime.getDeviceCount())
        return int(module.cuda.device_count()) if name == "torch" else 0
    except Exception:  # noqa: BLE001 - drivers raise errors of their own classes when no device is there
        return 0


def get_backend(
    backend: str | Backend = "auto", device: DeviceName = "cpu", *, fused: bool = False, tf32: bool = False
) -> Backend:
    """Return an array library on a device.

    Parameters
    ----------
    backend : {"auto", "numpy", "cupy", "torch"} or Backend, default="auto"
        Array library. ``"auto"`` is NumPy on the CPU, and on a GPU CuPy, or torch where CuPy is not installed.
    device : str, default="cpu"
        ``"cpu"``; ``"cuda"`` (or ``"cuda:1"``), an error where there is none; ``"auto"``, a GPU where one is found and the CPU elsewhere.
    fused : bool, default=False
        With CuPy: launch one kernel for a whole factorisation. With NumPy the same algorithm runs, slowly, for comparison.
    tf32 : bool, default=False
        Let the products that give variances round their factors to TF32 on a GPU: several times faster there, and p-values move by less than 2e-4. All
        else is computed as without it.

    Returns
    -------
    Backend
        The library's namespace and device.

    Raises
    ------
    ParameterError
        If a name is not known, NumPy is asked for on a GPU, or fused kernels are asked for with torch.
    MissingDependencyError
        If the library is not installed.
    DeviceError
        If a GPU is asked for and none is found; the message says what was looked for.

    Examples
    --------
    >>> from causalkit.gpu import get_backend
    >>> get_backend(device="cpu").name
    'numpy'
    """
    if isinstance(backend, Backend):
        return backend
    if backend not in ("auto", *LIBRARIES):
        raise ParameterError(
            f"backend is {backend!r}; allowed are 'auto', 'numpy', 'cupy', 'torch' or a Backend"
        )
    if device not in ("auto", "cpu") and str(device).split(":")[0] != "cuda":
        raise ParameterError(f"device is {device!r}; allowed are 'auto', 'cpu', 'cuda' and 'cuda:1', ...")
    if device == "auto":
        device = "cuda" if _gpu_library(backend) else "cpu"
    found = _on_cpu(backend) if device == "cpu" else _on_gpu(backend, device)
    if fused and found.name == "torch":
        raise ParameterError(
            "fused=True needs CuPy (or NumPy, for comparison); the kernels are launched by CuPy"
        )
    return replace(found, fused=fused, tf32=tf32)


def _gpu_library(backend: str) -> str | None:
    """Return the library that sees a GPU, among those allowed, CuPy first."""
    candidates = ("cupy", "torch") if backend == "auto" else (backend,)
    found = (name for name in candidates if installed(name) and cuda_devices(name) > 0)
    return next(found, None)


def _on_cpu(backend: str) -> Backend:
    if backend == "cupy":
        raise ParameterError("backend='cupy' computes on a GPU; use device='cuda', or backend='numpy'")
    if backend == "torch":
        _need("torch")
        return Backend(importlib.import_module("array_api_compat.torch"), "cpu")
    return Backend(importlib.import_module("array_api_compat.numpy"), "cpu")


def _on_gpu(backend: str, device: str) -> Backend:
    if backend == "numpy":
        raise ParameterError(
            f"backend='numpy' computes on the CPU; with device={device!r} use 'cupy' or 'torch'"
        )
    if backend != "auto":
        _need(backend)
    name = _gpu_library(backend)
    if name is None:
        looked = ", ".join(_sight(k) for k in (("cupy", "torch") if backend == "auto" else (backend,)))
        raise DeviceError(
            f"device={device!r} was asked for and no CUDA device was found ({looked}); use device='cpu'"
        )
    if name == "cupy" and ":" in device:
        importlib.import_module("cupy").cuda.Device(int(device.split(":")[1])).use()
    return Backend(importlib.import_module(f"array_api_compat.{name}"), device)


def _sight(name: str) -> str:
    return f"{name} sees {cuda_devices(name)}" if installed(name) else f"{name} is not installed"


def _need(name: str) -> None:
    if not installed(name):
        raise MissingDependencyError(
            f"backend={name!r} needs a package that is not installed: {INSTALL[name]}"
        )
