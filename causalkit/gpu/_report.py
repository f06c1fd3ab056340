"""What this machine has to compute with."""

from __future__ import annotations

import importlib
import os
import platform
from dataclasses import dataclass

from causalkit.gpu._backend import LIBRARIES, cuda_devices, free_host_bytes, installed

__all__ = ["DeviceReport", "device_report"]


@dataclass(frozen=True)
class DeviceReport:
    """Array libraries, devices and memory of a machine.

    Parameters
    ----------
    processor : str
        Architecture of the processor.
    cores : int
        Cores that this process may use.
    free_bytes : int
        Memory of the host that is available.
    libraries : dict of str to str
        Installed array libraries and their versions.
    gpus : tuple of str
        Name and memory of each GPU that CuPy or torch sees.
    """

    processor: str
    cores: int
    free_bytes: int
    libraries: dict[str, str]
    gpus: tuple[str, ...]

    def __str__(self) -> str:
        libraries = ", ".join(f"{name} {version}" for name, version in self.libraries.items())
        gpus = "; ".join(self.gpus) or "none found by CuPy or torch"
        host = f"{self.processor}, {self.cores} cores, {self.free_bytes / 2**30:.1f} GiB free"
        return f"host: {host}\nlibraries: {libraries}\nGPUs: {gpus}"


def device_report() -> DeviceReport:
    """Return what this machine has to compute with; imports CuPy and torch where they are installed.

    Returns
    -------
    DeviceReport
        Print it to read it.

    Examples
    --------
    >>> from causalkit.gpu import device_report
    >>> "numpy" in device_report().libraries
    True
    """
    libraries = {name: _version(name) for name in LIBRARIES if installed(name)}
    return DeviceReport(
        platform.machine() or "unknown processor", _cores(), free_host_bytes(), libraries, tuple(_gpus())
    )


def _version(name: str) -> str:
    try:
        return str(importlib.import_module(name).__version__)
    except Exception as problem:  # noqa: BLE001 - a library that cannot load its drivers is a finding, not a failure
        return f"cannot be imported ({type(problem).__name__})"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _gpus() -> list[str]:
    if installed("cupy") and cuda_devices("cupy"):
        runtime = importlib.import_module("cupy").cuda.runtime
        found = [runtime.getDeviceProperties(k) for k in range(cuda_devices("cupy"))]
        return [f"{p['name'].decode()}, {p['totalGlobalMem'] / 2**30:.0f} GiB" for p in found]
    if installed("torch") and cuda_devices("torch"):
        cuda = importlib.import_module("torch").cuda
        found = [cuda.get_device_properties(k) for k in range(cuda_devices("torch"))]
        return [f"{p.name}, {p.total_memory / 2**30:.0f} GiB" for p in found]
    return []
