"""What the baselines find of the free factors in the pixels of the miniature scenes.

Run with ``python benchmarks/representations.py [--out FILE] [--instances N] [--size PIXELS]``; needs torch. Every baseline is trained on the training instances of a scene and scored on
test instances: MCC over the free factors, in the strong sense (one code per factor) and after a linear regression on all codes, each with what unrelated codes reach by chance. Environments
for iVAE are bins of the first free factor. One seed; the point is the distance between floors, methods and the supervised ceiling, not the third digit.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from causalkit.datasets import SceneData, make_pendulum, make_scene
from causalkit.evaluation import baselines as b
from causalkit.evaluation import mcc

SCENES: dict[str, Callable[..., SceneData]] = {
    **{
        name: lambda name=name, **options: make_scene(name, **options)
        for name in ("fall", "spring", "slope", "refraction")
    },
    "pendulum": make_pendulum,
}


@dataclass
class Row:
    """One baseline on one scene."""

    scene: str
    baseline: str
    mcc_strong: float
    chance_strong: float
    mcc_regression: float
    chance_regression: float
    seconds: float


def encoders(scene: SceneData, epochs: int) -> dict[str, Callable[[Any, Any], Any]]:
    """Return, by name, what trains on some rows and encodes others."""
    factors = scene.as_numpy(np.arange(len(scene)))[0]
    free = [k for k, f in enumerate(scene.schema) if f.role == "exogenous"]
    bins = np.argsort(np.argsort(factors[:, free[0]])) * 10 // len(factors)
    types = [scene.factor_types[scene.schema[k].name] for k in free]

    def of(model: Any, **known: Any) -> Callable[[Any, Any], Any]:
        def run(pictures: Any, parts: Any) -> Any:
            train, test = parts
            model.fit(pictures[train], **{name: column[train] for name, column in known.items()})
            told = {"views": known["views"][test]} if "views" in known else {}
            return model.encode(pictures[test], **told)

        return run

    return {
        "RandomEncoder": of(b.RandomEncoder(n_codes=8)),
        "PCAICA": of(b.PCAICA(n_codes=8)),
        "GeneralizedCCA": of(b.GeneralizedCCA(n_codes=8), groups=scene.groups, views=scene.views),
        "MultiViewContrastive": of(b.MultiViewContrastive(n_codes=8, n_epochs=epochs), groups=scene.groups),
        "IVAE": of(b.IVAE(n_codes=8, n_epochs=epochs), environment=bins),
        "MechanismSparsity": of(b.MechanismSparsity(n_codes=8, n_epochs=epochs)),
        "Supervised": lambda pictures, parts: (
            b.Supervised(n_epochs=epochs)
            .fit(pictures[parts[0]], factors=factors[parts[0]][:, free], factor_types=types)
            .encode(pictures[parts[1]])
        ),
    }


def rows_of(name: str, instances: int, size: int, epochs: int) -> list[Row]:
    """Train and score every baseline on one scene."""
    scene = SCENES[name](n=instances, views=2, size=size, rng=0)
    splits = scene.splits()
    factors, pictures = scene.as_numpy()
    free = [k for k, f in enumerate(scene.schema) if f.role == "exogenous"]
    types = [scene.factor_types[scene.schema[k].name] for k in free]
    truth, groups = factors[splits["test"]][:, free], scene.groups[splits["test"]]
    found = []
    for baseline, encode in encoders(scene, epochs).items():
        start = time.perf_counter()
        codes = encode(pictures, (splits["train"], splits["test"]))
        seconds = time.perf_counter() - start
        common: dict[str, Any] = {
            "factor_types": types,
            "groups": groups,
            "n_bootstrap": 0,
            "n_permutations": 20,
        }
        strong = mcc(truth, codes, sample="out", **common)
        linear = mcc(truth, codes, variant="regression", sample="out", **common)
        found.append(Row(name, baseline, strong.value, strong.chance, linear.value, linear.chance, seconds))
        print(
            f"{name:11}{baseline:22}{strong.value:.3f} ({strong.chance:.3f})  {linear.value:.3f} ({linear.chance:.3f})  {seconds:.0f} s",
            flush=True,
        )
    return found


def main() -> None:
    """Print a table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--instances", type=int, default=2000)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=40)
    options = parser.parse_args()
    rows = [row for name in SCENES for row in rows_of(name, options.instances, options.size, options.epochs)]
    if options.out:
        with options.out.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(asdict(rows[0])))
            writer.writeheader()
            writer.writerows(
                {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(row).items()}
                for row in rows
            )


if __name__ == "__main__":
    main()
