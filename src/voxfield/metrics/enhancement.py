"""Scores of enhanced speech against the clean recording, with the field's own implementations where there are any.

SI-SDR needs nothing; STOI comes with `pip install 'voxfield[metrics]'`, PESQ with `voxfield[pesq]` (compiled on the
spot) and DNSMOS with `voxfield[dnsmos]`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from voxfield.errors import InputError, needed
from voxfield.protocols import Array

SILENT = 1e-10  # mean square under which a recording counts as silence
_STOI_LEAST_SAMPLES = 6144  # 384 ms, which it looks at together
FLOOR_DB = -100.0  # SI-SDR of an estimate that holds nothing of the target; a mean over recordings stays a number


def si_sdr_db(estimate: Array, target: Array) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al. 2019), at least -100; infinite for a perfect
    estimate. A silent, constant or orthogonal estimate holds nothing of the target and scores -100 dB.

    Args:
        estimate: (N,) samples.
        target: (N,) samples of the clean recording.

    Raises:
        InputError: lengths differ, or the target is silent or constant.

    >>> target = np.array([1.0, -1.0, 1.0, -1.0], np.float32)
    >>> round(si_sdr_db(target + np.array([0.1, 0.1, -0.1, -0.1], np.float32), target), 1)
    20.0
    """
    estimate, target = _checked(estimate, target)
    estimate, target = centred(estimate), centred(target)
    if not target.any():
        raise InputError("the clean recording is constant, so nothing can be scored against it")
    if not estimate.any():
        return FLOOR_DB
    wanted = target * (np.dot(estimate, target) / np.dot(target, target))
    error, power = float(np.square(estimate - wanted).sum()), float(np.square(wanted).sum())
    if error == 0:
        return math.inf
    return max(FLOOR_DB, 10 * math.log10(power / error)) if power > 0 else FLOOR_DB


def pesq_wb(estimate: Array, target: Array) -> float:
    """Wide-band PESQ (ITU-T P.862.2), about 1.0 to 4.6, at 16 kHz; NaN where it finds no utterance."""
    estimate, target = _checked(estimate, target)
    module = needed("pesq", "pesq", "PESQ")
    if not estimate.any():
        return math.nan  # the package fails on it
    try:
        return float(module.pesq(16000, target, estimate, "wb"))
    except module.PesqError:
        return math.nan


def stoi(estimate: Array, target: Array) -> float:
    """Short-time objective intelligibility (Taal et al. 2011), 0 to 1, at 16 kHz; NaN where too little is spoken."""
    return _stoi(estimate, target, extended=False)


def estoi(estimate: Array, target: Array) -> float:
    """Extended STOI (Jensen & Taal 2016), 0 to 1, at 16 kHz; NaN where too little is spoken."""
    return _stoi(estimate, target, extended=True)


def dnsmos(estimate: Array) -> dict[str, float]:
    """DNSMOS P.835 of a recording at 16 kHz by itself: overall, speech and background quality, each 1 to 5."""
    import_module("voxfield.ort")  # before speechmos imports onnxruntime: no telemetry
    module = needed("speechmos.dnsmos", "dnsmos", "DNSMOS")
    samples = np.asarray(estimate, np.float32)
    samples = samples / max(1.0, float(np.abs(samples).max(initial=0)))  # it refuses samples beyond full scale
    scores = module.run(samples, 16000)
    return {
        "dnsmos": float(scores["ovrl_mos"]),
        "dnsmos_speech": float(scores["sig_mos"]),
        "dnsmos_noise": float(scores["bak_mos"]),
    }


MEASURES = ("pesq", "stoi", "estoi", "si_sdr_db", "dnsmos")
NEEDS = {  # measure -> package that must be there
    "pesq": "pesq",
    "stoi": "pystoi",
    "estoi": "pystoi",
    "dnsmos": "speechmos",
}


def measurable() -> tuple[str, ...]:
    """The measures whose packages are installed here, of `pesq`, `stoi`, `estoi`, `si_sdr_db`, `dnsmos`."""
    return tuple(name for name in MEASURES if name not in NEEDS or find_spec(NEEDS[name]) is not None)


def check_measures(measures: Iterable[str], known: Sequence[str] = MEASURES, of: str = "") -> None:
    """Return when every name is that of a known measure, such as one " of separation".

    Raises:
        InputError: one is not.
    """
    if unknown := [name for name in measures if name not in known]:
        raise InputError(f"there is no measure '{unknown[0]}'{of}; there are: {', '.join(known)}")


def scores(estimate: Array, target: Array, measures: Iterable[str]) -> dict[str, float]:
    """The asked-for scores of one recording at 16 kHz; `dnsmos` gives three.

    Raises:
        InputError: a measure that does not exist.
        MissingExtraError: a measure whose package is not installed.
    """
    check_measures(measures := tuple(measures))
    against = {"pesq": pesq_wb, "stoi": stoi, "estoi": estoi, "si_sdr_db": si_sdr_db}
    found: dict[str, float] = {}
    for name in measures:
        if name == "dnsmos":
            found |= dnsmos(estimate)
        else:
            found[name] = against[name](estimate, target)
    return found


def centred(samples: Any) -> Any:
    """The samples without their mean; zeros where only rounding is left."""
    centred = samples - samples.mean()
    constant = np.abs(centred).max() <= 1e-12 * np.abs(samples).max()
    return np.zeros_like(centred) if constant else centred


def _stoi(estimate: Array, target: Array, extended: bool) -> float:
    estimate, target = _checked(estimate, target)
    module = needed("pystoi", "metrics", "STOI")
    if len(target) < _STOI_LEAST_SAMPLES:  # the package fails on less than a frame
        return math.nan
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = float(module.stoi(target, estimate, 16000, extended=extended))
    too_short = any(issubclass(warning.category, RuntimeWarning) for warning in caught)  # it then returns 1e-5
    return math.nan if too_short else value


def _checked(estimate: Array, target: Array) -> tuple[Any, Any]:
    estimate, target = np.asarray(estimate, np.float64), np.asarray(target, np.float64)
    if estimate.ndim != 1 or estimate.shape != target.shape:
        raise InputError(f"a score needs two recordings (N,) of one length, not {estimate.shape} and {target.shape}")
    if not len(target) or float(np.square(target).mean()) < SILENT:
        raise InputError("the clean recording is silent, so nothing can be scored against it")
    return estimate, target
