"""Arrays on NumPy, CuPy and torch: one code for all of them, on a CPU or on a GPU, within a byte budget.

The kernel tests are written against the array API standard. What the standard lacks and they need is a handful of functions,
which `Backend` has. Nothing here is imported by ``import causalkit``, and CuPy and torch only where they are asked for.

=======================  ====================================================================================
Name                     For
=======================  ====================================================================================
`device_report`          what this machine has: array libraries, devices, memory
`get_backend`            a `Backend` by name, with a clear error where it is not there
`MemoryBudget`           how many bytes a computation may hold at once
`pivoted_cholesky`       a kernel matrix as a product of two thin ones
=======================  ====================================================================================
"""

from causalkit.gpu._backend import Array, Backend, get_backend
from causalkit.gpu._cholesky import pivoted_cholesky, principal_factor
from causalkit.gpu._memory import MemoryBudget
from causalkit.gpu._report import DeviceReport, device_report

__all__ = [
    "Array",
    "Backend",
    "DeviceReport",
    "MemoryBudget",
    "device_report",
    "get_backend",
    "pivoted_cholesky",
    "principal_factor",
]
