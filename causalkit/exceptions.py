"""Every error and warning that a user of causalkit can catch.

All errors derive from :class:`CausalKitError`; those about values also derive from `ValueError`, so that code written
against the standard exceptions keeps working. A message says what came, what is allowed and what to do.
"""

from __future__ import annotations

__all__ = [
    "CausalKitError",
    "CausalKitWarning",
    "CheckpointError",
    "ColumnTypeWarning",
    "ConflictWarning",
    "ConstantColumnWarning",
    "ConvergenceWarning",
    "ConversionError",
    "DataError",
    "DataTypeError",
    "DeviceError",
    "ExpertError",
    "FileWarning",
    "GraphError",
    "GraphKindError",
    "InvalidGraphError",
    "KnowledgeError",
    "MemoryBudgetError",
    "MissingDependencyError",
    "NodeNotFoundError",
    "NotExtendableError",
    "ParameterError",
    "ParseError",
    "PositivityError",
    "SmallSampleWarning",
    "WorkerError",
]


class CausalKitError(Exception):
    """Base class of all errors raised on purpose by causalkit."""


class DataError(CausalKitError, ValueError):
    """The data cannot be used as they are: missing values, text among numbers, too few rows, ..."""


class DataTypeError(DataError, TypeError):
    """A column holds objects that are no data at all."""


class ParameterError(CausalKitError, ValueError):
    """A parameter has a value that is not allowed."""


class PositivityError(DataError):
    """Rows with one value of the cause are missing where they are needed, so that nothing can be compared there."""


class MissingDependencyError(CausalKitError, ImportError):
    """An optional package is needed for what was asked and is not installed."""


class DeviceError(CausalKitError, RuntimeError):
    """A GPU was asked for and none can be used."""


class ExpertError(CausalKitError, RuntimeError):
    """An expert could not be asked: the server is not there, or does not accept the key, the model or the request."""


class MemoryBudgetError(CausalKitError, MemoryError):
    """A computation does not fit into its memory budget; the message says how much it needs and what to change."""


class WorkerError(CausalKitError, RuntimeError):
    """Worker processes were lost again and again."""


class CheckpointError(CausalKitError, ValueError):
    """A file of saved results belongs to something else."""


class GraphError(CausalKitError, ValueError):
    """Base class of the errors about graphs."""


class InvalidGraphError(GraphError):
    """A graph breaks a rule of its kind.

    Parameters
    ----------
    message : str
        What is wrong, naming the nodes.
    witness : tuple of str, default=()
        The nodes that show it, for example the nodes of a directed cycle.
    """

    def __init__(self, message: str, witness: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.witness = witness


class GraphKindError(GraphError):
    """The operation is not defined for this kind of graph."""


class NotExtendableError(GraphError):
    """No directed acyclic graph has this skeleton, these arrows and these unshielded colliders."""


class NodeNotFoundError(GraphError, LookupError):
    """A name is not a node of the graph."""


class ParseError(GraphError):
    """A text is not in the format it is read as."""


class ConversionError(GraphError):
    """The other format cannot say what this graph says, or the other way round."""


class KnowledgeError(GraphError):
    """Background knowledge contradicts itself or the graph it is applied to.

    Parameters
    ----------
    message : str
        What is wrong, naming the statements.
    conflict : tuple of str, default=()
        A minimal set of statements that cannot hold together: dropping any one of them removes the conflict.
    """

    def __init__(self, message: str, conflict: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.conflict = conflict


class CausalKitWarning(UserWarning):
    """Base class of all warnings of causalkit."""


class FileWarning(CausalKitWarning):
    """A file was read with a correction, which the message names."""


class SmallSampleWarning(CausalKitWarning):
    """There are so few rows that p-values are rough."""


class ConstantColumnWarning(CausalKitWarning):
    """A column never varies, so that nothing can depend on it."""


class ColumnTypeWarning(CausalKitWarning):
    """The type that was inferred for a column may not be what was meant."""


class RedundantColumnWarning(CausalKitWarning):
    """Columns say what others say, so that tests given them see no dependence that is there."""


class ConvergenceWarning(CausalKitWarning):
    """An optimisation stopped before it converged."""


class ConflictWarning(CausalKitWarning):
    """The independence tests contradict one another; the result records where."""
