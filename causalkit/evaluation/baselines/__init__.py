"""Representations to compare with: floors, linear methods, and small networks of the usual families.

They are small on purpose: a miniature scene is learned in minutes on a CPU. Each has ``fit``, with what it needs to know beside the inputs, and ``encode``.

===========================  ==================================  ==============================================
Baseline                     ``fit`` needs                       finds
===========================  ==================================  ==============================================
`RandomEncoder`              nothing                             nothing: the floor
`IndexOnly`                  nothing                             nothing: what instance and time give away
`PCAICA`                     nothing                             sources mixed linearly, not Gaussian
`GeneralizedCCA`             groups, views                       what views share, linearly
`MultiViewContrastive`       groups                              what views share, as a block
`IVAE`                       environment                         sources whose law changes with the environment
`TDRL`                       groups, time                        sources that follow from their past
`MechanismSparsity`          nothing                             sources that act on separate parts
`Supervised`                 factors                             the ceiling of a network of this size
===========================  ==================================  ==============================================

All but `IndexOnly`, `PCAICA` and `GeneralizedCCA` need torch.
"""

from causalkit.evaluation.baselines._contrastive import MultiViewContrastive
from causalkit.evaluation.baselines._floors import PCAICA, GeneralizedCCA, IndexOnly, RandomEncoder
from causalkit.evaluation.baselines._ivae import IVAE
from causalkit.evaluation.baselines._mechanism_sparsity import MechanismSparsity
from causalkit.evaluation.baselines._supervised import Supervised
from causalkit.evaluation.baselines._tdrl import TDRL

__all__ = [
    "IVAE",
    "PCAICA",
    "TDRL",
    "GeneralizedCCA",
    "IndexOnly",
    "MechanismSparsity",
    "MultiViewContrastive",
    "RandomEncoder",
    "Supervised",
]
