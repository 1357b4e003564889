"""One file a network. This is the only table from architecture names to classes."""

import warnings
from importlib import import_module
from typing import Any

from voxfield.errors import RecipeError

ARCHITECTURES = {  # name in recipes and cards -> (module, config class, network class)
    "crn": ("crn", "CrnConfig", "CrnEnhancer"),
    "crn-band": ("crn_band", "BandCrnConfig", "BandCrn"),
    "conv-tasnet": ("conv_tasnet", "ConvTasNetConfig", "ConvTasNet"),
    "ecapa-tdnn": ("ecapa_tdnn", "EcapaConfig", "EcapaTdnn"),
    "speaker-resnet": ("speaker_resnet", "SpeakerResNetConfig", "SpeakerResNet"),
    "ds-tdnn": ("ds_tdnn", "DsTdnnConfig", "DsTdnn"),
    "mean-spot": ("mean_spot", "MeanSpotConfig", "MeanSpot"),
    "mobilenet": ("mobilenet", "MobileNetConfig", "MobileNet"),
    "linear-probe": ("linear_probe", "LinearProbeConfig", "LinearProbe"),
    "code-histogram": ("code_histogram", "CodeHistogramConfig", "CodeHistogram"),
    "pixelsnail": ("pixelsnail", "PixelSnailConfig", "PixelSnail"),
    "vqvae2": ("vqvae2", "Vqvae2Config", "Vqvae2"),
    "resnet": ("resnet", "ResNetConfig", "ResNet"),
    "wav2vec": ("wav2vec", "Wav2VecConfig", "Wav2Vec"),
}


def architecture(name: str) -> tuple[type, type]:
    """(config class, network class) of an architecture.

    Raises:
        RecipeError: no such architecture; the message lists those there are.
    """
    if name not in ARCHITECTURES:
        raise RecipeError(f"no architecture '{name}'; there are: {', '.join(sorted(ARCHITECTURES))}")
    module, config, network = ARCHITECTURES[name]
    loaded = import_module(f"voxfield.models.{module}")
    return getattr(loaded, config), getattr(loaded, network)


def network(name: str, config: Any) -> Any:
    """The network of an architecture with the numbers of a configuration, weights drawn anew.

    Raises:
        RecipeError: no such architecture, or the numbers make no network.
    """
    made = architecture(name)[1]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of layers without values
            net = made(config)
    except (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise RecipeError(f"[model] makes no {name}: {str(error).splitlines()[0]}; change its numbers") from error
    if empty := next((key for key, values in net.named_parameters() if not values.numel()), None):
        raise RecipeError(f"[model] makes no {name}: {empty} would hold no values; change its numbers")
    return net
