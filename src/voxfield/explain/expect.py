"""What a probe should find if the symbolic answer is right, and whether it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .report import AxisField, Phase, ProbeResult, Status

Stretch = tuple[int, int] | None


def local_span(field: AxisField, output: int) -> Stretch:
    """Input positions on the local path to one output, edges not cut off."""
    if not field.phases or field.hop is None:
        return None
    turn, index = divmod(output, len(field.phases))
    phase: Phase = field.phases[index]
    if phase.start is None or phase.end is None:
        return None
    shift = int(turn * len(field.phases) * field.hop)
    return phase.start + shift, phase.end + shift


def seen_by(field: AxisField, output: int, statistics: bool) -> Stretch:
    """Input positions that one output depends on, cut off at the ends of the input.

    Args:
        statistics: count what norms over time and the like bring in as well.
    """
    size = field.in_size or 0
    span = local_span(field, output)
    low, high = span if span is not None else (size, -1)
    if any(statistics or not cause.statistics for cause in field.whole_input):
        reach = field.reach or (0, size - 1)
        low, high = min(low, reach[0]), max(high, reach[1])
    before = (local_span(field, output - i) for i in range(len(field.phases) if statistics else 0))
    near = span or next((s for s in before if s), None)
    if near and any(statistics or not cause.statistics for cause in field.unbounded_past):
        high = max(high, near[1])  # a gap still gets the statistics of what came before it
        low = min(low, max(0, (local_span(field, 0) or (0, 0))[0]))
    if near and any(statistics or not cause.statistics for cause in field.unbounded_future):
        high = size - 1
    low, high = max(0, low), min(size - 1, high)
    return (low, high) if low <= high else None


def spans_of(field: AxisField) -> tuple[list[Stretch], list[Stretch]]:
    """For every output what it sees in any way, and what it sees on the local path.

    Outputs whose local path lies in the padding alone see nothing, unless a recurrence brings them the rest.
    """
    last = (field.in_size or 1) - 1
    seen: list[Stretch] = []
    local: list[Stretch] = []
    for n in range(field.out_size or 0):
        span = local_span(field, n)
        before = span is not None and span[1] < 0 and not field.unbounded_future
        behind = span is not None and span[0] > last and not field.unbounded_past
        only_padding = not field.whole_input and (before or behind)
        seen.append(None if only_padding or beside(field, n) else seen_by(field, n, True))
        local.append(None if beside(field, n) else span)
    return seen, local


def beside(field: AxisField, output: int) -> bool:
    """True for an output at an edge that shows the other end of the axis: the figures are of those further in."""
    span = local_span(field, output) if field.turned else None
    return span is not None and (span[0] < 0 or span[1] >= (field.in_size or 0))


def reached_from(spans: Sequence[Stretch], position: int) -> Stretch:
    """First and last of some intervals that hold one position."""
    return extent([span is not None and span[0] <= position <= span[1] for span in spans])


def probed_outputs(field: AxisField, most: int = 12) -> list[int]:
    """Outputs in the middle, one for each phase as far as `most` allows."""
    size = field.out_size or 0
    count = min(max(2, len(field.phases)), most, size)
    start = max(0, size // 2 - count // 2)
    return list(range(start, start + count))


def probed_positions(field: AxisField, most: int = 6) -> list[int]:
    """Input positions in the middle, spread over one period."""
    size = field.in_size or 0
    period = max(1, field.block or 1)
    count = min(most, max(2, period), size)
    start = max(0, size // 2 - period // 2)
    found = {min(size - 1, start + i * max(1, period // count)) for i in range(count)}
    found.update(field.reach if field.reach and (field.turned or not field.phases) else ())
    for output in probed_outputs(field, 3):  # the ends of some fields, which these outputs must feel
        found.update(place for place in local_span(field, output) or () if 0 <= place < size)
    return sorted(found)


def judged_gradient(field: AxisField, measured: Mapping[int, Stretch]) -> ProbeResult:
    """The comparison of measured input intervals with the symbolic ones, output by output."""
    if field.status is Status.UNAVAILABLE:
        return unstated("gradient", field)
    wrong = [output for output, found in measured.items() if not explained(field, output, found)]
    size, outputs = field.in_size or 0, list(measured)
    cut = [s for n in outputs if (s := local_span(field, n)) and s[0] < 0 and s[1] >= size]
    shown = wrong[0] if wrong else outputs[len(outputs) // 2] if outputs else 0
    agrees: bool | None = not wrong if measured else None
    detail = f"outputs {outputs[0]} to {outputs[-1]}" if outputs else "no output position to probe"
    if agrees and not field.phases and all(seen_by(field, n, False) is None for n in measured):
        agrees, detail = None, "no local path: everything goes through operators that combine the whole axis"
    if agrees and outputs and len(cut) == len(outputs):
        agrees, detail = None, detail + "; the field is longer than the input on both sides: give a longer input"
    expected = seen_by(field, shown, False)
    return ProbeResult("gradient", field.axis, agrees, stated(expected), stated(measured.get(shown)), detail)


def unstated(probe: str, field: AxisField) -> ProbeResult:
    """The result where there is no answer to compare with."""
    return ProbeResult(probe, field.axis, None, "", "", f"nothing is stated behind {', '.join(field.missing)}")


def explained(field: AxisField, output: int, found: Stretch) -> bool:
    """True when a measured input interval is what the symbolic answer says of one output.

    Both ends must be equal, but for three cases in which the gradient may see less, though never less than the local
    path: at the border of the input, where a strided or dilated field may step over the last positions; and where
    statistics and a path both reach far, since the statistics are left out of the gradient. Before the first output of
    a recurrence there may also be inputs that only its memory has seen. Where the axis shares a dim of the output with
    another one, and statistics bring in all of it, the paths beside them may see any of that.
    """
    if not field.phases and field.whole_input and found is not None and seen_by(field, output, False) is None:
        reach = seen_by(field, output, True)
        return reach is not None and reach[0] <= found[0] and found[1] <= reach[1]
    expected, local, last = seen_by(field, output, False), local_span(field, output), (field.in_size or 1) - 1
    if expected is None or found is None:
        return expected == found or (found is None and local is None and bool(field.phases))  # a gap
    whole = {cause.statistics for cause in field.whole_input}
    memory = any(not cause.statistics for cause in field.unbounded_past)
    loose_low = len(whole) == 2 or (expected[0] == 0 and (False in whole or (local is not None and local[0] < 0)))
    loose_high = len(whole) == 2 or (
        expected[1] == last and (False in whole or (local is not None and local[1] > last))
    )
    low = found[0] == expected[0] or (memory and found[0] < expected[0])
    high = found[1] == expected[1]
    low |= loose_low and expected[0] < found[0] and (local is None or local[0] <= 0 or found[0] <= local[0])
    high |= loose_high and found[1] < expected[1] and (local is None or local[1] >= last or found[1] >= local[1])
    return low and high


def judged_nan(
    field: AxisField, measured: Mapping[int, Stretch], finite: Mapping[int, Stretch] | None = None
) -> ProbeResult:
    """The comparison of the outputs that changed with those that may, input position by input position.

    No output outside the predicted ones may change, and each end of the prediction must be met for some position: a
    dilated or strided field has holes, which a single position can fall into.

    Args:
        field: the symbolic answer.
        measured: per input position the first and last output that changed when it became NaN.
        finite: the same for large finite values. A NaN times a weight of 0 is a NaN, so where the first comparison
            fails and this one does not, this one counts.
    """
    if field.status is Status.UNAVAILABLE:
        return unstated("nan", field)
    if not field.phases:
        return judged_without_path(field, measured)
    result = compared(field, measured, "")
    if result.agrees is False and finite is not None:
        second = compared(field, finite, "; with large values, as a NaN also passes weights of 0")
        return second if second.agrees else result
    return result


def judged_without_path(field: AxisField, measured: Mapping[int, Stretch]) -> ProbeResult:
    """Where nothing moves along the axis any more: the output must change with the reach and its inner ends."""
    reach = field.reach
    if reach is not None:
        last = (field.in_size or 1) - 1
        reach = (0 if field.unbounded_past else reach[0], last if field.unbounded_future else reach[1])
    ends = [p for p in measured if reach is not None and p in reach]
    changing = [p for p in measured if measured[p] is not None]
    if reach is None or not ends:
        return ProbeResult("nan", field.axis, None, "", "", "no output position along this axis")
    border = (0, (field.in_size or 1) - 1)  # where strides and holes may step over the last positions
    felt = bool(changing) and all(p in changing for p in ends if p not in border)
    agrees = felt and all(reach[0] <= p <= reach[1] for p in changing)
    seen = f"changes with {', '.join(map(str, changing)) or 'none'}"
    return ProbeResult("nan", field.axis, agrees, f"sees {stated(reach)}", seen, f"input positions {list(measured)}")


def compared(field: AxisField, measured: Mapping[int, Stretch], remark: str) -> ProbeResult:
    """One comparison of changed outputs with predicted ones."""
    outside, met_first, met_last = [], False, False
    whole, (seen, near) = bool(field.whole_input), spans_of(field)
    for position, found in measured.items():
        expected, local = reached_from(seen, position), reached_from(near, position)
        if found is None:
            met_first, met_last = met_first or expected is None, met_last or expected is None
        elif expected is None or found[0] < expected[0] or found[1] > expected[1]:
            outside.append(position)
        else:
            met_first |= found[0] == expected[0] or (whole and (not local or found[0] < local[0]))
            met_last |= found[1] == expected[1] or (whole and (not local or found[1] > local[1]))
    positions = list(measured)
    shown = outside[0] if outside else positions[len(positions) // 2] if positions else 0
    agrees: bool | None = not outside and met_first and met_last if positions and any(seen) else None
    detail = f"input positions {positions[0]} to {positions[-1]}" if positions else "no input position to probe"
    symbolic, found_there = stated(reached_from(seen, shown)), stated(measured.get(shown))
    return ProbeResult("nan", field.axis, agrees, symbolic, found_there, detail + remark)


def stated(span: Stretch) -> str:
    """An interval as text."""
    return "nothing" if span is None else f"{span[0]} .. {span[1]}"


def extent(flags: Sequence[bool]) -> Stretch:
    """First and last place that is true."""
    places = [i for i, flag in enumerate(flags) if flag]
    return (places[0], places[-1]) if places else None
