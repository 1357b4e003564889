"""Which embeddings belong to one speaker: spectral clustering, where the eigenvalues say how many speakers there are.

Each embedding keeps edges to its nearest ones, weighted by cosine; a speaker is a part of that graph with few edges to
the others (normalised cuts, Shi and Malik 2000), and the number of parts is where the eigenvalues fall most (the
eigen-gap), or more where that leaves speakers that are unlike one another. The graph is cut into some parts too many,
and those of the nearest mean directions are joined again, small ones first, so that stray embeddings cost no speaker.
"""

import numpy as np

from voxfield.protocols import Array
from voxfield.tasks.speakers.embedding import unit

MOST_NODES = 1500  # of the graph; of more embeddings every second, third ... makes it, and the others follow
NEAREST_SHARE = 0.1  # of all embeddings that each keeps an edge to
USUAL_SPEAKERS = 10  # at least so many eigenvalues are looked at
ONE_SPEAKER = 0.85  # cosine of two mean directions from which on they are of one speaker
TWO_SPEAKERS = 0.62  # cosine of the mean directions of two parts below which they are not of one
ONE_MORE = 0.45  # cosine below which all mean directions of one part more than the eigenvalues say must lie
SPARE_PARTS = 3  # that the graph is cut into beyond the speakers
_LEAST_NEAREST = 8
_LEAST_MEMBERS = 3  # embeddings of a speaker, where the number of speakers is not given
_LEAST_OF_ONE_MORE = 4  # embeddings of each speaker, where there is one more than the eigenvalues say
_ROUNDS = 20


def clustered(vectors: Array, least: int = 1, most: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """(Number of each embedding's speaker (N,), mean direction of each speaker (K, D)), `least` <= K <= `most`.

    There are fewer speakers than `least` where there are fewer embeddings. Equal bounds say the number of speakers;
    otherwise two parts of nearly one mean direction become one speaker.

    Args:
        vectors: (N, D) of length 1; N may be 0.
        least, most: number of speakers.
    """
    if not len(vectors):
        return np.zeros(0, int), np.zeros((0, vectors.shape[1]))
    nodes = vectors[:: -(-len(vectors) // MOST_NODES)]
    least, most = min(least, len(nodes)), min(most, len(nodes))
    members = 1 if least == most else _LEAST_MEMBERS
    centres = _directions(nodes.astype(np.float64), least, most)
    found, centres = _settled(vectors, (vectors @ centres.T).argmax(axis=1), members, least)
    while len(centres) > least and least < most:
        cosine, first, second = _nearest(centres)
        if cosine < ONE_SPEAKER:
            break
        found, centres = _settled(vectors, np.where(found == second, first, found), members, least)
    return found, centres


def _directions(nodes: np.ndarray, least: int, most: int) -> np.ndarray:
    """Mean directions (K, D) of the parts of the graph of nodes (N, D), `least` to `most`."""
    rows, falls = _spectrum(nodes, max(most, USUAL_SPEAKERS))
    parts = 1 + int(falls.argmax()) if len(falls) else 1
    if parts == 1 and len(falls) > 1 and most > 1:
        halves = _k_means(unit(rows[:, :2]), 2)
        first, second = (nodes[halves == one].sum(axis=0) for one in (0, 1))
        if unit(first) @ unit(second) < TWO_SPEAKERS:
            parts = 2 + int(falls[1:].argmax())
    parts = min(max(least, parts), most)
    found, centres = _in_parts(nodes, rows, parts)
    for more in range(parts + 1, most + 1) if parts > 1 else ():
        found, others = _in_parts(nodes, rows, more)
        if np.bincount(found).min() < _LEAST_OF_ONE_MORE or _nearest(others)[0] >= ONE_MORE:
            break
        centres = others
    return centres


def _spectrum(nodes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(Eigenvectors (N, N) of the graph of nodes (N, D), how far `count` eigenvalues fall), the largest first."""
    nearest = min(len(nodes), max(_LEAST_NEAREST, round(NEAREST_SHARE * len(nodes))))
    cosines = np.clip(nodes @ nodes.T, 0, 1)
    edges = np.zeros_like(cosines)
    kept = np.argpartition(-cosines, nearest - 1, axis=1)[:, :nearest]
    np.put_along_axis(edges, kept, 0.5, axis=1)
    weights = cosines * (edges + edges.T > 0)
    scale = 1 / np.sqrt(np.maximum(weights.sum(axis=1), 1e-12))
    values, rows = np.linalg.eigh(scale[:, None] * weights * scale)  # ascending
    return rows[:, ::-1], -np.diff(values[::-1][: count + 1])


def _in_parts(nodes: np.ndarray, rows: np.ndarray, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """(Part of each node (N,), mean directions (K, D)) for so many parts, by the eigenvectors of the graph."""
    more = min(parts + SPARE_PARTS, len(nodes)) if parts > 1 else 1
    found, centres = _settled(nodes, _k_means(unit(rows[:, :more]), more), 1, parts)
    while len(centres) > parts:
        _, first, second = _nearest(centres, np.bincount(found, minlength=len(centres)))
        found, centres = _settled(nodes, np.where(found == second, first, found), 1, parts)
    return found, centres


def _nearest(centres: np.ndarray, sizes: np.ndarray | None = None) -> tuple[float, int, int]:
    """Cosine and numbers of the two mean directions (K, D) that are nearest one another, of two or more.

    With sizes (K,), small parts are nearer to all others than large ones.
    """
    cosines = centres @ centres.T
    apart = 1 - cosines
    if sizes is not None:
        apart = apart * np.sqrt(sizes[:, None] * sizes / np.maximum(sizes[:, None] + sizes, 1))
    first, second = np.unravel_index((apart + np.diag(np.full(len(centres), np.inf))).argmin(), apart.shape)
    return float(cosines[first, second]), int(first), int(second)


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
