"""Which embeddings belong to one speaker: spectral clustering, and how many speakers there are.

Each embedding keeps edges to its nearest ones, weighted by cosine; a speaker is a part of that graph with few edges to
the others (normalised cuts, Shi and Malik 2000). The graph is cut into some parts too many, and those of the nearest
mean directions are joined again, small ones first, so that stray embeddings cost no speaker. There is one speaker more
as long as all mean directions are as far apart as those of two speakers: the less speech there is of either, the
further, since the halves of little speech of one speaker are unlike, too. It need not be as far up to the number after
which the eigenvalues of the graph fall most (the eigen-gap), and must be further beyond.
"""

import math

import numpy as np

from voxfield.protocols import Array
from voxfield.tasks.speakers.embedding import unit

MOST_NODES = 1500  # of the graph; of more embeddings every second, third ... makes it, and the others follow
NEAREST_SHARE = 0.1  # of all embeddings that each keeps an edge to
USUAL_SPEAKERS = 10  # so many eigenvalues are looked at
EIGEN_GAP = 0.06  # of cosine: what the fall of the eigenvalues weighs
SPARE_PARTS = 3  # that the graph is cut into beyond the speakers
_LEAST_NEAREST = 8
_LEAST_MEMBERS = 3  # embeddings of a speaker, where the number of speakers is not given
_ROUNDS = 20


def clustered(vectors: Array, least: int = 1, most: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """(Number of each embedding's speaker (N,), mean direction of each speaker (K, D)), `least` <= K <= `most`.

    There are fewer speakers than `least` where there are fewer embeddings. Equal bounds say the number of speakers.

    Args:
        vectors: (N, D) of length 1; N may be 0.
        least, most: number of speakers.
    """
    if not len(vectors):
        return np.zeros(0, int), np.zeros((0, vectors.shape[1]))
    nodes = vectors[:: -(-len(vectors) // MOST_NODES)].astype(np.float64)
    least, most = min(least, len(nodes)), min(most, len(nodes))
    values, rows = _spectrum(nodes)
    usual = 1 + int(np.diff(values[: USUAL_SPEAKERS + 1]).argmin()) if len(values) > 1 else 1
    _, centres = _in_parts(nodes, rows, least)
    for more in range(least + 1, most + 1):
        found, others = _in_parts(nodes, rows, more)
        allowance = EIGEN_GAP if more <= usual else -EIGEN_GAP
        if len(others) < more or not _all_apart(others, np.bincount(found), allowance):
            break
        centres = others
    members = 1 if least == most else _LEAST_MEMBERS
    return _settled(vectors, (vectors @ centres.T).argmax(axis=1), members, least)


def of_two(fewer: int) -> float:
    """Cosine of two mean directions below which they are of two speakers; `fewer` embeddings make the smaller one.

    >>> [round(of_two(fewer), 2) for fewer in (3, 10, 100, 1000)]
    [0.27, 0.48, 0.65, 0.65]
    """
    return min(0.07 + 0.18 * math.log(fewer), 0.65)


def _all_apart(centres: np.ndarray, sizes: np.ndarray, allowance: float) -> bool:
    """Whether mean directions (K, D) of so many embeddings each (K,) are of a speaker each."""
    if sizes.min() < _LEAST_MEMBERS:
        return False
    cosines = centres @ centres.T
    pairs = zip(*np.triu_indices(len(centres), 1), strict=True)
    return all(cosines[one, other] < of_two(min(sizes[one], sizes[other])) + allowance for one, other in pairs)


def _spectrum(nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (N,) of the graph of nodes (N, D), the largest first, and eigenvectors (N, N), a column each."""
    nearest = min(len(nodes), max(_LEAST_NEAREST, round(NEAREST_SHARE * len(nodes))))
    cosines = np.clip(nodes @ nodes.T, 0, 1)
    edges = np.zeros_like(cosines)
    kept = np.argpartition(-cosines, nearest - 1, axis=1)[:, :nearest]
    np.put_along_axis(edges, kept, 0.5, axis=1)
    weights = cosines * (edges + edges.T > 0)
    scale = 1 / np.sqrt(np.maximum(weights.sum(axis=1), 1e-12))
    values, rows = np.linalg.eigh(scale[:, None] * weights * scale)  # ascending
    return values[::-1], rows[:, ::-1]


def _in_parts(nodes: np.ndarray, rows: np.ndarray, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """(Part of each node (N,), mean directions (K, D)) for so many parts, by the eigenvectors of the graph."""
    more = min(parts + SPARE_PARTS, len(nodes)) if parts > 1 else 1
    found, centres = _settled(nodes, _k_means(unit(rows[:, :more]), more), 1, parts)
    while len(centres) > parts:
        first, second = _nearest(centres, np.bincount(found, minlength=len(centres)))
        found, centres = _settled(nodes, np.where(found == second, first, found), 1, parts)
    return found, centres


def _nearest(centres: np.ndarray, sizes: np.ndarray) -> tuple[int, int]:
    """Numbers of the two mean directions (K, D) that are nearest one another, of two or more; small parts (K,) are
    nearer to all others than large ones."""
    apart = (1 - centres @ centres.T) * np.sqrt(sizes[:, None] * sizes / np.maximum(sizes[:, None] + sizes, 1))
    first, second = np.unravel_index((apart + np.diag(np.full(len(centres), np.inf))).argmin(), apart.shape)
    return int(first), int(second)


def _k_means(points: np.ndarray, count: int) -> np.ndarray:
    """The cluster of each point (N, D); the first centres are points far from one another."""
    nearest = np.square(points - points.mean(axis=0)).sum(axis=1)
    centres = points[[int(nearest.argmax())]]
    nearest = np.square(points - centres[0]).sum(axis=1)
    while len(centres) < count:
        centres = np.concatenate([centres, points[[int(nearest.argmax())]]])
        nearest = np.minimum(nearest, np.square(points - centres[-1]).sum(axis=1))
    for _ in range(_ROUNDS):
        found = (np.square(centres).sum(axis=1) - 2 * points @ centres.T).argmin(axis=1)
        members = np.eye(count)[found].sum(axis=0)
        means = np.eye(count)[found].T @ points / np.maximum(members, 1)[:, None]
        centres = np.where(members[:, None] > 0, means, centres)
    return np.asarray(found)


def _settled(vectors: np.ndarray, found: np.ndarray, members: int, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Every embedding to the speaker of the nearest mean direction, until that changes nothing; small ones dissolve."""
    for _ in range(_ROUNDS):
        sizes = np.bincount(found)
        largest = np.argsort(-sizes, kind="stable")[:least]
        kept = np.union1d(np.flatnonzero(sizes >= members), largest[sizes[largest] > 0])
        centres = unit(np.stack([vectors[found == one].mean(axis=0) for one in kept]))
        before, found = np.searchsorted(kept, found), (vectors @ centres.T).argmax(axis=1)
        if np.array_equal(before, found):
            break
    return found, centres
