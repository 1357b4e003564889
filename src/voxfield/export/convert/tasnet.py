"""What the four programs that train Conv-TasNet have in common: tensors, then settings, then proofs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from voxfield.errors import CheckpointError, InputError, RecipeError
from voxfield.export.convert.checkpoint import Checkpoint
from voxfield.export.convert.naming import Names, Row, ours_from, rows, theirs_from
from voxfield.export.convert.program import Made, Program, relative_difference
from voxfield.export.convert.settings import Setting
from voxfield.models.conv_tasnet import ConvTasNet, ConvTasNetConfig
from voxfield.nn.streaming import State, run
from voxfield.values import build, parse_override


@dataclass(frozen=True)
class TasNetProgram:
    """A program by its facts.

    Attributes:
        name: of the program.
        gives_away: pattern of a tensor's name that no other program has.
        causal_name: pattern of a tensor's name that only its causal networks have; empty where it has none.
        names: of its tensors, in a network that is not causal and in one that is.
        padding: of the ends; see `ConvTasNetConfig.ends`.
        fixed: what its code leaves no choice about; `norm` where it has one kind only.
        settings: its names for what tensors do not show -> how to read them.
        habits: what it does where nobody says otherwise.
    """

    name: str
    gives_away: str
    causal_name: str
    names: Callable[[bool], Names]
    padding: str
    fixed: Callable[[bool], dict[str, Any]]
    settings: Mapping[str, Setting]
    habits: Mapping[str, Any] = field(default_factory=dict)

    @property
    def entry(self) -> Program:
        """For the table of programs."""
        return Program(self.gives_away, self.make)

    def make(self, content: Checkpoint, overrides: Sequence[str]) -> Made:
        """The network of a checkpoint, with the proofs that it is the program's."""
        config, assumed = self.configure(content, overrides)
        table = list(rows(config, self.names(config.causal)))
        net = ConvTasNet(config).eval()
        net.load_state_dict(ours_from(content.tensors, net.state_dict(), table))
        card = {
            "task": "separate",
            "architecture": "conv-tasnet",
            "summary": f"{config.sources} sources at {config.sample_rate_hz} Hz, converted from {self.name}",
        }
        return Made(net, card, dict(_proofs(net, content, table)), assumed, tuple(_notes(config)))

    def configure(self, content: Checkpoint, overrides: Sequence[str]) -> tuple[ConvTasNetConfig, tuple[str, ...]]:
        """(Configuration, what had to be assumed as `key=value`): from the tensors first, then from what was stored
        beside them, then by habit; overrides come before all.

        Raises:
            CheckpointError: a tensor that decides the configuration is missing, or a stored setting makes no sense.
            InputError: an override is not `key=value` of the configuration.
        """
        known = self._from_tensors(content)
        total = known.pop("total_blocks")
        stored: dict[str, Any] = {}
        silent = set()  # what the file leaves to the program's habit on purpose
        for theirs, setting in self.settings.items():
            if theirs in content.settings:
                value = content.settings[theirs]
                if value is None:
                    silent.add(setting.ours)
                else:
                    stored[setting.ours] = setting.read(theirs, value)
        known = stored | known | _parsed(overrides)
        assumed = []

        def assume(key: str, value: Any, said: bool = True) -> None:
            if key not in known:
                known[key] = value
                if said and key not in silent:
                    assumed.append(f"{key}={str(value).lower() if isinstance(value, bool) else value}")

        assume("stride_samples", known["kernel_samples"] // 2)
        assume("norm", "frame" if known["causal"] else "global")
        assume("first_norm", known["norm"], said=False)
        for key, value in self.habits.items():
            assume(key, value)
        if "repeats" in known and "blocks" not in known:
            known["blocks"] = max(total // known["repeats"], 1)
        assume("blocks", 8 if total % 8 == 0 else total)
        assume("repeats", max(total // known["blocks"], 1), said=False)
        if known["blocks"] * known["repeats"] != total:
            raise CheckpointError(
                f"the checkpoint has {total} blocks, which is not {known['blocks']} blocks x {known['repeats']} "
                "repeats; give the right ones with --set blocks=... --set repeats=..."
            )
        if "window_ms" in known:
            known["sample_rate_hz"] = round(known["kernel_samples"] * 1000 / known.pop("window_ms"))
        assume("sample_rate_hz", 8000)
        assume("padding", self.padding, said=False)
        config = build(ConvTasNetConfig, asdict(ConvTasNetConfig()) | known, "--set")
        return config, tuple(assumed)

    def _from_tensors(self, content: Checkpoint) -> dict[str, Any]:
        """What shapes and names say."""
        causal = bool(self.causal_name) and any(re.search(self.causal_name, name) for name in content.tensors)
        probe = self.names(causal)
        block = probe.block.format(i=0, r=0, x=0)
        encoder = content.tensor(probe.encoder, 3)
        expand = content.tensor(f"{block}{probe.expand}.weight", 3)
        depthwise = content.tensor(f"{block}{probe.depthwise}.weight", 3)
        head = content.tensor(f"{probe.head}.weight", 3)
        skip = f"{block}{probe.skip}.weight"
        has_skip = bool(probe.skip) and skip in content.tensors
        pattern = re.escape(probe.block)
        for letter in "irx":
            pattern = pattern.replace(rf"\{{{letter}\}}", rf"(?P<{letter}>\d+)")
        places = {match.groups(): match for name in content.tensors if (match := re.match(pattern, name))}
        found: dict[str, Any] = {
            "filters": encoder.shape[0],
            "kernel_samples": encoder.shape[-1],
            "bottleneck": expand.shape[1],
            "hidden": expand.shape[0],
            "skip": content.tensor(skip, 3).shape[0] if has_skip else 0,
            "kernel_frames": depthwise.shape[-1],
            "total_blocks": len(places),
            "sources": max(head.shape[0] // encoder.shape[0], 1),
            "bias": f"{block}{probe.expand}.bias" in content.tensors,
            "mask_prelu": bool(probe.act) and f"{probe.act}.weight" in content.tensors,
            "causal": causal,
        } | self.fixed(causal)
        if f"{block}{probe.norm_in}.running_mean" in content.tensors:
            found["norm"] = "batch"
        if "{r}" in probe.block:
            for key, letter in (("repeats", "r"), ("blocks", "x")):
                found[key] = 1 + max(int(match[letter]) for match in places.values())
        last = probe.block.format(i=len(places) - 1, r=0, x=0)
        found["last_residual"] = has_skip and f"{last}{probe.residual}.weight" in content.tensors
        if found.pop("half_overlap", False):
            found["stride_samples"] = encoder.shape[-1] // 2
        return found


def _parsed(overrides: Sequence[str]) -> dict[str, Any]:
    try:
        found = dict(parse_override(override) for override in overrides)
        build(ConvTasNetConfig, found, "--set")
    except RecipeError as error:
        raise InputError(str(error)) from error
    return found


def _proofs(net: ConvTasNet, content: Checkpoint, table: list[Row]) -> Iterator[tuple[str, float]]:
    """What was compared and the largest difference, relative to the largest value."""
    theirs = content.tensors
    back = theirs_from(net.state_dict(), {name: tensor.shape for name, tensor in theirs.items()}, table)
    same = back.keys() == theirs.keys() and all(torch.equal(back[name], theirs[name]) for name in back)
    yield "converting back", 0.0 if same else float("inf")
    with torch.no_grad():
        for what, mixture, sources in content.pairs("mixture", "sources"):
            got = net.separate(mixture if mixture.ndim == 3 else mixture[:, None])
            yield what, relative_difference(got, sources)
        if not net.config.not_streaming_because:
            hop = net.config.stride_samples
            x = torch.randn(1, 1, net.config.kernel_samples + 40 * hop, generator=torch.Generator().manual_seed(0))
            finished = x.shape[-1] - net.config.unfinished_samples(x.shape[-1])
            whole = net.separate(x)[..., :finished]
            yield "streamed against whole", relative_difference(streamed(net, x)[..., :finished], whole)


def streamed(net: ConvTasNet, x: Tensor) -> Tensor:
    """Sources of a recording (B, 1, N) fed in blocks of many sizes, aligned with it."""
    hop, late = net.config.stride_samples, net.config.lookahead_samples
    state: State | None = None
    rest = torch.nn.functional.pad(x, (0, late + -(x.shape[-1] + late) % hop))
    parts, hops = [], 1
    while rest.shape[-1]:
        block, rest = rest[..., : hops * hop], rest[..., hops * hop :]
        y, state = run(net, block, state)
        parts.append(y)
        hops = hops * 3 % 7
    return torch.cat(parts, -1)[..., late : late + x.shape[-1]]


def _notes(config: ConvTasNetConfig) -> Iterator[str]:
    if not config.causal:
        return
    if config.not_streaming_because:
        yield f"it is causal but cannot stream: {config.not_streaming_because}"
        return
    rests = range(config.kernel_samples, 2 * config.kernel_samples)
    if most := max(config.unfinished_samples(n) for n in rests):
        yield (
            f"offline, the last {most} samples or fewer lack frames or are silent, as in the program; "
            "a stream finishes them"
        )
