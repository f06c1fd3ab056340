"""A network trained on the factors themselves: the ceiling of what a network of its size can read from the inputs."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np

from causalkit._random import Seed
from causalkit._validation import ColumnTypes, read_columns, read_table
from causalkit.evaluation._assess import design
from causalkit.evaluation.baselines._training import (
    LearnedBaseline,
    Objective,
    Rows,
    Tensor,
    encoder_network,
    import_torch,
)
from causalkit.exceptions import DataError

__all__ = ["Supervised"]


class Supervised(LearnedBaseline):
    """Regression of the factors on the inputs; codes are its predictions, in standard deviations.

    Parameters
    ----------
    hidden : int, default=128
        Width of the network.
    n_epochs : int, default=50
        Passes over the rows.
    batch_size : int, default=128
        Rows per step.
    learning_rate : float, default=1e-3
        Of Adam, falling to zero along a cosine.
    random_state : int, numpy.random.Generator or None, default=0
        Seed.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    history_ : list of float
        Mean loss of every epoch.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.evaluation.baselines import Supervised
    >>> z = np.random.default_rng(0).uniform(-1, 1, size=(500, 2))
    >>> x = np.column_stack([z[:, 0] + z[:, 1], z[:, 0] - z[:, 1]])
    >>> codes = Supervised(n_epochs=20).fit(x, factors=z).encode(x)
    >>> bool(abs(np.corrcoef(codes[:, 0], z[:, 0])[0, 1]) > 0.99)
    True
    """

    n_codes = 0

    def __init__(
        self,
        *,
        hidden: int = 128,
        n_epochs: int = 50,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        random_state: Seed = 0,
        verbose: int = 0,
    ) -> None:
        self.hidden = hidden
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, x: Any, *, factors: Any, factor_types: ColumnTypes = None) -> Supervised:
        """Train the network.

        Parameters
        ----------
        x : array_like or source of pictures
            Pictures, bytes of shape (n, height, width, 3), or vectors of shape (n, p).
        factors : array_like, shape (n, D), or data frame
            What to predict. Angles are predicted as cosine and sine, categories as indicators.
        factor_types : mapping or sequence, optional
            Types of factors that are not what they look like.

        Returns
        -------
        Supervised
            Itself.
        """
        named = nw.dependencies.is_into_dataframe(factors)
        table = read_table(factors, factor_types) if named else read_columns(factors, "z", factor_types)
        table = table.select([k for k in range(table.n_columns) if k not in table.constant_columns()])
        if not table.n_columns:
            raise DataError("no factor varies; there is nothing to predict")
        columns = np.hstack([design(table, k) for k in range(table.n_columns)])
        inputs = self._start(x, columns.shape[1])
        if len(columns) != inputs.n:
            raise DataError(f"there are {len(columns)} rows of factors for {inputs.n} rows of inputs")
        torch = import_torch()
        scale = columns.std(axis=0)
        targets = torch.as_tensor((columns - columns.mean(axis=0)) / np.where(scale > 0, scale, 1.0)).float()

        def build(_rng: np.random.Generator) -> Objective:
            network = encoder_network(inputs.shape, self.hidden, self.n_codes_)

            def loss(rows: Rows) -> Tensor:
                return ((network(inputs.tensor(rows)) - targets[rows]) ** 2).mean()

            return Objective({"encoder": network}, loss)

        self._minimise(build, inputs.n)
        return self
