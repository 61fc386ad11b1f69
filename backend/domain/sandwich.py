"""The meat of a sandwich estimate: how much the gradient of a fit of votes varies, by clusters of votes that hang
together. Knows nothing of who or what the clusters are."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from backend.domain.bradley_terry import CELLS_AT_ONCE, Floats, Ints, sums


def meat_of(
    left: Ints,
    right: Ints,
    surprise: Floats,
    weight: Floats,
    controls: Floats,
    clusters: Sequence[Ints],
    models: int,
) -> Floats:
    """The covariance of the gradient (models + controls, squared), by clusters of votes."""
    if not clusters:
        # Of equal votes counted as one, each is still a vote of its own: weight times the square, not its square.
        square = np.divide(surprise**2, weight, out=np.zeros(len(weight)), where=weight > 0)
        return _alone(left, right, square, controls, models)
    numbered = [_numbered(column) for column in clusters]
    meat = sum((_meat(column, left, right, surprise, controls, models) for column in numbered), start=np.zeros(()))
    if len(numbered) == 2:
        together = _together(*numbered)
        meat = meat - _meat(together, left, right, surprise, controls, models)
        # What two overlapping clusterings take away twice may leave a negative direction: there is none.
        values, vectors = np.linalg.eigh(meat)
        meat = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return meat


def _alone(left: Ints, right: Ints, square: Floats, controls: Floats, models: int) -> Floats:
    """The sum over votes of the square of what each pulls, when each is a cluster of its own."""
    cross = sums(left * models + right, square, models * models).reshape(models, models)
    cross = cross + cross.T
    size = models + controls.shape[1]
    meat = np.zeros((size, size))
    meat[:models, :models] = np.diag(cross.sum(axis=1)) - cross
    for column in range(controls.shape[1]):
        moved = square * controls[:, column]
        both = sums(left, moved, models) - sums(right, moved, models)
        meat[:models, models + column] = meat[models + column, :models] = both
    meat[models:, models:] = (controls * square[:, None]).T @ controls
    return meat


def _meat(label: Ints, left: Ints, right: Ints, surprise: Floats, controls: Floats, models: int) -> Floats:
    """The sum over clusters of the square of what its votes pull at each model, with the small-sample factor."""
    number, extra = int(label.max()) + 1, controls.shape[1]
    factor = number / (number - 1.0)
    size = models + extra
    # Clusters of one vote, of which there can be as many as votes, need no row of their own.
    alone = np.bincount(label)[label] == 1
    singles = _alone(left[alone], right[alone], surprise[alone] ** 2, controls[alone], models)
    label, left, right, surprise, controls = (column[~alone] for column in (label, left, right, surprise, controls))
    if not len(label):
        return singles * factor
    label = _numbered(label)
    number = int(label.max()) + 1
    # Only as many clusters at a time as fit into some 8 MB.
    at_once = max(1, CELLS_AT_ONCE // size)
    order = _order(label) if number > at_once else np.arange(len(label))
    starts = np.searchsorted(label[order], np.arange(0, number + at_once, at_once)) if number > at_once else None
    total = singles
    for block, (first, last) in enumerate(pairwise([0, len(label)] if starts is None else starts.tolist())):
        rows = order[first:last]
        here = min(at_once, number - block * at_once)
        base = (label[rows] - block * at_once) * size
        cells = here * size
        pull = sums(base + left[rows], surprise[rows], cells)
        pull -= sums(base + right[rows], surprise[rows], cells)
        for column in range(extra):
            pull += sums(base + models + column, surprise[rows] * controls[rows, column], cells)
        pull = pull.reshape(here, size)
        total += pull.T @ pull
    return total * factor


def _numbered(label: Ints) -> Ints:
    """The same labels as numbers without gaps, in their order."""
    if label.min() < 0 or label.max() > 4 * len(label):
        return np.unique(label, return_inverse=True)[1]
    return (np.cumsum(np.bincount(label) > 0) - 1)[label]


def _together(first: Ints, second: Ints) -> Ints:
    """The number of each pair of labels, in their order."""
    order = _order(first, second)
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(first[order]) != 0) | (np.diff(second[order]) != 0)
    number = np.empty(len(order), np.intp)
    number[order] = np.cumsum(new) - 1
    return number


def _order(*labels: Ints) -> NDArray[np.intp]:
    """The stable order by the first label, then the next; none below 0. By digits of 16 bits, which is quicker than
    comparing: numpy sorts those by counting."""
    order = np.arange(len(labels[0]))
    for label in reversed(labels):
        for shift in range(0, max(1, int(label.max(initial=0)).bit_length()), 16):
            digit = (label[order] >> shift).astype(np.uint16)
            order = order[np.argsort(digit, kind="stable")]
    return order
