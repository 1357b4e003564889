"""The names that `keras.applications` gives the layers of MobileNet and ResNet, for files whose layers have none.

The `.weights.h5` of the first versions of Keras 3 numbers the layers of each class in the order of the model, by depth:
in a ResNet block the convolution of the shortcut stands beside the last one of the branch.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from voxfield.models.mobilenet import PAIRS

Variables = dict[str, dict[str, Tensor]]  # of each layer, by its name


def named_by_order(variables: Variables) -> Variables:
    """The same layers under the names that their order gives them; as they are where it gives none."""
    depthwise = [layer for layer in variables if layer.startswith("depthwise_conv2d")]
    convolutions = [layer for layer in variables if layer.startswith("conv2d") and "transpose" not in layer]
    norms = [layer for layer in variables if layer.startswith("batch_normalization")]
    sizes = [tuple(variables[layer]["kernel"].shape[:2]) for layer in convolutions]
    if len(depthwise) == len(PAIRS):
        pairs = range(1, len(PAIRS) + 1)
        renamed = dict(zip(depthwise, (f"conv_dw_{i}" for i in pairs), strict=True))
        names = ["conv1", *(f"conv_pw_{i}" for i in pairs), "conv_preds"]
        its_norms = ["conv1_bn", *(f"conv_{part}_{i}_bn" for i in pairs for part in ("dw", "pw"))]
    elif sizes[:1] == [(7, 7)] and set(sizes[1:]) == {(1, 1), (3, 3)}:
        names = [f"{name}_conv" for name in resnet_order(sizes)]
        its_norms = [f"{name.removesuffix('_conv')}_bn" for name in names]
        renamed = dict.fromkeys([layer for layer in variables if layer == "dense"], "predictions")
    else:
        return variables
    if len(names) - len(convolutions) not in (0, 1) or len(its_norms) != len(norms):
        return variables
    renamed |= dict(zip(convolutions, names, strict=False)) | dict(zip(norms, its_norms, strict=True))
    return {renamed.get(layer, layer): its for layer, its in variables.items()}


def resnet_order(sizes: Sequence[tuple[int, ...]]) -> list[str]:
    """`conv2_block1_1` and so on, for kernels of these sizes: one of 3 x 3 a block; a shortcut starts a stack."""
    names, stack, block = ["conv1"], 1, 0
    middles = [at for at, size in enumerate(sizes) if size == (3, 3)]
    for middle, following in zip(middles, [*(at - 1 for at in middles[1:]), len(sizes)], strict=True):
        shortcut = following - middle == 3
        stack, block = (stack + 1, 1) if shortcut else (stack, block + 1)
        names += [f"conv{stack}_block{block}_{part}" for part in ((1, 2, 0, 3) if shortcut else (1, 2, 3))]
    return names
