"""Makes the files in tests/export/keras with Keras itself: tiny networks with random weights, and what they answer.

    KERAS_BACKEND=torch python tests/export/make_keras_cases.py

The tests do not need Keras. MODEL.keras, MODEL.h5 and MODEL.weights.h5 are saved by Keras in its three forms;
cases.npz holds `NAME/x` and `NAME/y` of each network, and `layers/LAYER` of each layer in layers.weights.h5.
early.keras and early.npz are those of MEAN_Spot with CBAM from Keras 3.0, whose weights have no names; that version
makes nothing else.
"""

import zipfile
from pathlib import Path

import keras
import numpy as np
from keras import layers as L
from keras.src.applications.resnet import ResNet, stack_residual_blocks_v1

HERE = Path(__file__).parent / "keras"
FORMS = {
    "mobilenet": ["keras"],
    "resnet": ["weights.h5"],
    "mean_spot": ["keras", "h5", "weights.h5"],
    "crn": ["keras"],
    "layers": ["weights.h5"],
    "mean_spot_cbam": ["keras"],
}
rng = np.random.default_rng(0)


def filled(model: keras.Model) -> keras.Model:
    """The model with weights that are neither all the same nor too small to matter."""
    for weight in model.weights:
        spread = rng.standard_normal(weight.shape)
        if "variance" in weight.path or "gamma" in weight.path:
            weight.assign(1 + 0.2 * np.abs(spread))
        else:
            weight.assign(spread * (1.2 / np.sqrt(max(np.prod(weight.shape[:-1]), 4))))
    return model


def mobilenet() -> keras.Model:
    """Sides of 36, 18, 9, 5, 3, 2: the strides meet even and odd ones."""
    return keras.applications.MobileNet(input_shape=(36, 36, 3), alpha=1 / 16, weights=None, classes=5)


def resnet() -> keras.Model:
    def stacks(x):
        x = stack_residual_blocks_v1(x, 4, 2, stride1=1, name="conv2")
        return stack_residual_blocks_v1(x, 6, 1, name="conv3")

    return ResNet(stacks, False, True, weights=None, input_shape=(33, 33, 3), classes=4, classifier_activation=None,
                  name="tiny", weights_name=None)  # fmt: skip


def cbam_block(x):
    """relu(x + CBAM of two 3 x 3 convolutions), as `voxfield explain` gives it to paste."""
    count = x.shape[-1]
    y = L.Conv2D(count, 3, padding="same", use_bias=False)(x)
    y = L.Activation("relu")(L.BatchNormalization()(y))
    y = L.BatchNormalization()(L.Conv2D(count, 3, padding="same", use_bias=False)(y))
    narrow, widen = L.Dense(max(count // 16, 1), activation="relu"), L.Dense(count)
    mean = widen(narrow(L.GlobalAveragePooling2D(keepdims=True)(y)))
    most = widen(narrow(L.GlobalMaxPooling2D(keepdims=True)(y)))
    y = L.Multiply()([y, L.Activation("sigmoid")(L.Add()([mean, most]))])
    pair = L.Concatenate()([keras.ops.amax(y, -1, keepdims=True), keras.ops.mean(y, -1, keepdims=True)])
    gate = L.BatchNormalization()(L.Conv2D(1, 7, padding="same", use_bias=False)(pair))
    return L.Activation("relu")(L.Add()([x, L.Multiply()([y, L.Activation("sigmoid")(gate)])]))


def mean_spot_cbam() -> keras.Model:
    return mean_spot(cbam_block)


def mean_spot(block=lambda x: x) -> keras.Model:
    """Three images of 42 x 42: horizontal flow, vertical flow, strain."""
    inputs, maps = [], []
    for filters in (3, 3, 8):
        inputs.append(L.Input((42, 42, 1)))
        x = L.Conv2D(filters, 5, padding="same", activation="relu")(inputs[-1])
        x = L.MaxPooling2D(3, 3, padding="same")(L.BatchNormalization()(x))
        maps.append(L.Dropout(0.3)(block(x)))
    x = L.Conv2D(8, 5, padding="same", activation="relu")(L.Concatenate()(maps))
    x = L.Dropout(0.2)(L.Flatten()(block(L.MaxPooling2D(2, 2, padding="same")(x))))
    return keras.Model(inputs, L.Dense(1)(x))


def crn() -> keras.Model:
    """Magnitudes (time, 32 bins, 1) in and out; kernels see the past alone."""
    x = noisy = L.Input((None, 32, 1))
    filters, skips = (2, 3, 4), []
    for i, count in enumerate(filters):
        frames = 1 if i == 0 else 2
        x = L.ZeroPadding2D(((frames - 1, 0), (0, 0)))(x)
        x = L.ELU()(L.BatchNormalization()(L.Conv2D(count, (frames, 3), strides=(1, 2))(x)))
        skips.append(x)
    x = L.Reshape((-1, 12))(x)
    x = L.LSTM(12, return_sequences=True)(L.LSTM(12, return_sequences=True)(x))
    x = L.Reshape((-1, 3, 4))(x)
    for i, count in ((2, 3), (1, 2), (0, 1)):
        frames = 1 if i == 0 else 2
        x = L.Concatenate()([x, skips[i]])
        x = L.Conv2DTranspose(count, (frames, 3), strides=(1, 2), output_padding=(0, 1) if i == 0 else None)(x)
        x = L.BatchNormalization()(L.Cropping2D(((0, frames - 1), (0, 0)))(x))
        x = L.ELU()(x) if i else L.Activation("softplus")(x)
    return keras.Model(noisy, x)


def single_layers() -> keras.Model:
    """Every layout there is, side by side on one input (5 steps, 8 bins, 3 channels)."""
    x = L.Input((5, 8, 3))
    flat = L.Reshape((5, 24))(x)
    outputs = {
        "conv_same": L.Conv2D(4, (2, 3), strides=(1, 2), padding="same", name="conv_same")(x),
        "conv_causal": L.Conv1D(4, 3, padding="causal", dilation_rate=2, name="conv_causal")(flat),
        "transposed": L.Conv2DTranspose(2, (2, 3), strides=(1, 2), name="transposed")(x),
        "depthwise": L.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, name="depthwise")(x),
        "separable": L.SeparableConv2D(5, 3, padding="same", name="separable")(x),
        "norm": L.BatchNormalization(name="norm")(x),
        "layer_norm": L.LayerNormalization(name="layer_norm")(flat),
        "lstm": L.LSTM(6, return_sequences=True, name="lstm")(flat),
        "gru": L.GRU(6, return_sequences=True, name="gru")(flat),
        "pool_same": L.MaxPooling2D(3, padding="same", name="pool_same")(x),
    }
    return keras.Model(x, outputs)


def squeeze(path: Path) -> None:
    """Keras stores its archives without compression."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def main() -> None:
    HERE.mkdir(exist_ok=True)
    if keras.__version__.startswith("3.0."):
        model, x = filled(mean_spot_cbam()), rng.standard_normal((3, 1, 42, 42, 1)).astype(np.float32)
        model.save(HERE / "early.keras")
        squeeze(HERE / "early.keras")
        np.savez_compressed(HERE / "early.npz", x=x, y=model.predict(list(x), verbose=0))
        return
    cases = {}
    for name, make, shape in (
        ("mobilenet", mobilenet, (2, 36, 36, 3)),
        ("resnet", resnet, (2, 33, 33, 3)),
        ("mean_spot", mean_spot, (3, 2, 42, 42, 1)),
        ("crn", crn, (2, 7, 32, 1)),
        ("layers", single_layers, (2, 5, 8, 3)),
        ("mean_spot_cbam", mean_spot_cbam, (3, 2, 42, 42, 1)),
    ):
        keras.backend.clear_session()
        model = filled(make())
        x = rng.standard_normal(shape).astype(np.float32)
        x = np.abs(x) if name == "crn" else x
        y = model.predict(list(x) if name.startswith("mean_spot") else x, verbose=0)
        cases[f"{name}/x"] = x
        for key, value in y.items() if isinstance(y, dict) else [("y", y)]:
            cases[f"{name}/{key}"] = value
        for form in FORMS[name]:
            path = HERE / f"{name}.{form}"
            model.save_weights(path) if form == "weights.h5" else model.save(path)
            if form == "keras":
                squeeze(path)
    np.savez_compressed(HERE / "cases.npz", **cases)


if __name__ == "__main__":
    main()
