"""Spectra, overlapping frames and writes into a part of a tensor, from an exported torch graph. Imports no torch."""

from __future__ import annotations

from fractions import Fraction

from ..graph import Window
from .build import Call, Const, Live, Shape, dim_of, spread, unknown_op
from .vocabulary import windows_of


def stft(c: Call) -> None:
    """(B, N) -> (B, F, T): frames cut out, each transformed. A shorter window sits in the middle of its frame."""
    x = c.first()
    size, hop = int(c.args["n_fft"]), int(c.args.get("hop_length") or c.args["n_fft"] // 4)
    length = int(c.args.get("win_length") or size)
    frames, bins = c.shape[-1], c.shape[-2]
    window = Window(length, hop, pad_start=-((size - length) // 2))
    y = c.emit("unfold", [x], (*x.shape[:-1], frames, length), dims=(len(x.shape) - 1,), windows=(window,))
    y = c.emit("fft", [y], (*x.shape[:-1], frames, bins), dims=(len(x.shape),))
    rank = len(x.shape) + 1
    c.emit("permute", [y], order=(*range(rank - 2), rank - 1, rank - 2))


def istft(c: Call) -> None:
    """(B, F, T) -> (B, N): every frame transformed back, then overlapped and added."""
    x = c.first()
    size, hop = int(c.args["n_fft"]), int(c.args.get("hop_length") or c.args["n_fft"] // 4)
    rank, frames = len(x.shape), x.shape[-1]
    y = c.emit("fft", [x], (*x.shape[:-2], size, frames), dims=(rank - 2,))
    order = (*range(rank - 2), rank - 1, rank - 2)
    y = c.emit("permute", [y], (*x.shape[:-2], frames, size), order=order)
    crop = size // 2 if c.args.get("center") else 0
    c.emit("fold", [y], dims=(rank - 2,), windows=(Window(size, hop, pad_start=crop),))


def fft(c: Call) -> None:
    """A transform along one dim: every coefficient reads all of it."""
    x = c.first()
    dims = c.args.get("dim", -1)
    if isinstance(dims, list | tuple) or dims is None:
        return unknown_op(c)
    c.emit("fft", [x], dims=(dim_of(dims, len(x.shape)),))


def sliding(c: Call, picture: Shape) -> list[tuple[Window, int]]:
    """The window along each of the last two dims of a picture, and how many of them there are."""
    taps = spread(c.args["kernel_size"], 2)
    windows = windows_of(taps, c.args["stride"], c.args["dilation"], c.args["padding"])
    return [(w, (n + 2 * w.pad_start - w.reach) // w.stride + 1) for n, w in zip(picture[-2:], windows, strict=True)]


def im2col(c: Call) -> None:
    """(B, C, H, W) -> (B, C taps, windows)."""
    x = c.first()
    if len(x.shape) != 4:
        return unknown_op(c)
    b, channels, h, _ = x.shape
    (high, rows), (wide, columns) = sliding(c, x.shape)
    taps = high.kernel, wide.kernel
    y = c.emit("unfold", [x], (b, channels, h, columns, taps[1]), dims=(3,), windows=(wide,))
    y = c.emit("unfold", [y], (b, channels, rows, columns, taps[1], taps[0]), dims=(2,), windows=(high,))
    y = c.emit("permute", [y], (b, channels, taps[0], taps[1], rows, columns), order=(0, 1, 5, 4, 2, 3))
    c.emit("reshape", [y])


def col2im(c: Call) -> None:
    """(B, C taps, windows) -> (B, C, H, W), overlapped and added."""
    x = c.first()
    if len(x.shape) != 3:
        return unknown_op(c)
    b, channels, _, w = c.shape
    (high, rows), (wide, columns) = sliding(c, c.shape)
    taps = high.kernel, wide.kernel
    y = c.emit("reshape", [x], (b, channels, taps[0], taps[1], rows, columns))
    y = c.emit("permute", [y], (b, channels, rows, columns, taps[0], taps[1]), order=(0, 1, 4, 5, 2, 3))
    y = c.emit("fold", [y], (b, channels, rows, w, taps[0]), dims=(3,), windows=(wide,))
    c.emit("fold", [y], dims=(2,), windows=(high,))


def view_as_real(c: Call) -> None:
    x = c.first()
    y = c.emit("reshape", [x], (*x.shape, 1))
    c.emit("expand", [y])


def view_as_complex(c: Call) -> None:
    x = c.first()
    c.emit("reduce", [x], dims=(len(x.shape) - 1,), function="complex", keepdim=False)


def copy(c: Call) -> None:
    """The new content of a stretch: the source, spread over it."""
    source = c.args["src"]
    if isinstance(source, Live):
        c.emit("identity" if source.shape == c.shape else "expand", [source])
    else:
        c.emit("elementwise", c.live(), function="copy")


def slice_scatter(c: Call) -> None:
    """A tensor in which one stretch was written anew."""
    base, source = c.args.get("self", c.args.get("input")), c.args["src"]
    dim = c.dim(len(c.shape))
    size, step = c.shape[dim], int(c.args.get("step") or 1)
    start = int(c.args.get("start") or 0)
    written(c, base, source, dim, max(0, start + size if start < 0 else start), step)


def select_scatter(c: Call) -> None:
    base, source = c.args.get("self", c.args.get("input")), c.args["src"]
    dim = c.dim(len(c.shape))
    if isinstance(source, Live):
        source = c.emit("reshape", [source], (*source.shape[:dim], 1, *source.shape[dim:]))
    written(c, base, source, dim, dim_of(int(c.args["index"]), c.shape[dim]), 1)


def written(c: Call, base: Live | Const | None, source: Live | Const, dim: int, start: int, step: int) -> None:
    """The source stretched to `step` and moved to `start`, beside what was there before."""
    if not isinstance(source, Live):
        c.emit("elementwise", c.live(), function="write")
        return
    shape: Shape = source.shape
    if step > 1:
        shape = (*shape[:dim], shape[dim] * step, *shape[dim + 1 :])
        source = c.emit("upsample", [source], shape, dims=(dim,), scale=(Fraction(step),), mode="zeros")
    after = c.shape[dim] - start - shape[dim]
    if start or after:
        source = c.emit("pad", [source], c.shape, dims=(dim,), before=(start,), after=(after,), mode="constant")
    c.results = [source]
    if isinstance(base, Live):
        c.emit("elementwise", [base, source], function="write")
