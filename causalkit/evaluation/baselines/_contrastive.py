r"""Contrastive learning over views: codes that are near for two views of an instance, and far for views of others.

For codes :math:`f(x_i)` and :math:`f(x_i')` of two views of each of N instances the loss is

.. math:: -\frac1N \sum_i \log \frac{\exp(-\lVert f(x_i) - f(x_i') \rVert^2 / \tau)}{\sum_j \exp(-\lVert f(x_i) - f(x_j') \rVert^2 / \tau)} ,

taken both ways. What views share (content) is found up to an invertible function, as a block; what differs between them (style) is left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from causalkit._random import Seed
from causalkit._validation import check_between
from causalkit.evaluation.baselines._training import (
    LearnedBaseline,
    Objective,
    Rows,
    Tensor,
    encoder_network,
    import_torch,
    read_labels,
)
from causalkit.exceptions import DataError

__all__ = ["MultiViewContrastive"]


class MultiViewContrastive(LearnedBaseline):
    """Codes of what views of an instance have in common.

    Parameters
    ----------
    n_codes : int, default=8
        Number of codes: of shared factors, if that is known.
    temperature : float, default=1.0
        Of the loss.
    hidden : int, default=128
        Width of the network.
    n_epochs : int, default=50
        Passes over the instances.
    batch_size : int, default=256
        Instances per step, each the others' contrast.
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

    References
    ----------
    J. von Kügelgen, Y. Sharma, L. Gresele, W. Brendel, B. Schölkopf, M. Besserve, F. Locatello, "Self-supervised learning with data augmentations provably isolates content
    from style", NeurIPS 2021, theorem 4.4. D. Yao et al., "Multi-view causal representation learning with partial observability", ICLR 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.evaluation.baselines import MultiViewContrastive
    >>> rng = np.random.default_rng(0)
    >>> instance = np.repeat(np.arange(200), 2)
    >>> x = np.column_stack([rng.normal(size=200)[instance], rng.normal(size=400)])
    >>> codes = MultiViewContrastive(n_codes=1, n_epochs=20).fit(x, groups=instance).encode(x)
    >>> bool(abs(np.corrcoef(codes[:, 0], x[:, 0])[0, 1]) > 0.95)
    True
    """

    def __init__(
        self,
        *,
        n_codes: int = 8,
        temperature: float = 1.0,
        hidden: int = 128,
        n_epochs: int = 50,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        random_state: Seed = 0,
        verbose: int = 0,
    ) -> None:
        self.n_codes = n_codes
        self.temperature = temperature
        self.hidden = hidden
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, x: Any, *, groups: Any) -> MultiViewContrastive:
        """Train the network.

        Parameters
        ----------
        x : array_like or source of pictures
            Pictures, bytes of shape (n, height, width, 3), or vectors of shape (n, p).
        groups : array_like, shape (n,)
            Instance of every row; an instance needs two rows to take part.

        Returns
        -------
        MultiViewContrastive
            Itself.
        """
        inputs = self._start(x)
        check_between("temperature", self.temperature, 0, np.inf)
        labels = read_labels("groups", groups, inputs.n)
        order = np.argsort(labels, kind="stable")
        members = [m for m in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(m) > 1]
        if len(members) < 2:
            raise DataError("contrast needs at least two instances with two rows each")

        def build(rng: np.random.Generator) -> Objective:
            network = encoder_network(inputs.shape, self.hidden, self.n_codes_)

            def loss(instances: Rows) -> Tensor:
                pairs = np.array([rng.choice(members[k], 2, replace=False) for k in instances])
                one, other = network(inputs.tensor(pairs.T.ravel())).chunk(2)
                return contrast(one, other, self.temperature)

            return Objective({"encoder": network}, loss)

        self._minimise(build, len(members))
        return self


def contrast(one: Tensor, other: Tensor, temperature: float) -> Tensor:
    """Return the loss of pairs of codes, each row beside all others."""
    torch = import_torch()
    near = -(torch.cdist(one, other) ** 2) / temperature
    own = torch.arange(len(one))
    entropy = torch.nn.functional.cross_entropy
    return (entropy(near, own) + entropy(near.T, own)) / 2
