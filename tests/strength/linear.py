"""The effect of causes in linear models with random coefficients, from which validity of an adjustment set can be seen.

In a linear model the coefficients of the causes in the regression on causes and set are their joint effects, for all parameters, if
and only if the set is an adjustment set. Random parameters stand for all.
"""

from __future__ import annotations

import numpy as np

from causalkit import CausalGraph, Mark


def covariance(graph, rng):
    """Return covariance and total effects of a linear model with a hidden cause for every bidirected edge."""
    d = graph.n_nodes
    directed = (graph.marks == Mark.ARROW) & (graph.marks.T == Mark.TAIL)
    both = np.argwhere(
        np.triu(((graph.marks == Mark.ARROW) & (graph.marks.T == Mark.ARROW)) | graph.bidirected)
    )
    weights = np.where(directed, rng.uniform(0.5, 1.5, (d, d)) * rng.choice([-1, 1], (d, d)), 0.0)
    noise = np.eye(d)
    for i, j in both:
        load = np.zeros(d)
        load[[i, j]] = rng.uniform(0.5, 1.5, 2)
        noise += np.outer(load, load)
    paths = np.linalg.inv(np.eye(d) - weights)
    return paths.T @ noise @ paths, weights


def is_unbiased(graph, causes, effect, given, seed=0):
    """Whether adjusting gives the joint effects of the causes, in two random models."""
    x, y = [graph.index(c) for c in causes], graph.index(effect)
    for k in range(2):
        sigma, weights = covariance(graph, np.random.default_rng([seed, k]))
        cut = weights.copy()
        cut[:, x] = 0
        truth = np.linalg.inv(np.eye(graph.n_nodes) - cut)[x, y]
        use = [*x, *(graph.index(z) for z in given)]
        found = np.linalg.solve(sigma[np.ix_(use, use)], sigma[use, y])[: len(x)]
        if not np.allclose(found, truth, atol=1e-7):
            return False
    return True


def with_hidden_confounders(graph, pairs):
    """Return the ADMG of a directed ancestral graph with further bidirected edges."""
    admg = graph.with_kind("ADMG")
    plane = admg.bidirected.copy()
    for u, v in pairs:
        i, j = graph.index(u), graph.index(v)
        plane[i, j] = plane[j, i] = True
    return CausalGraph("ADMG", graph.nodes, admg.marks, bidirected=plane)
