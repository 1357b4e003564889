# MEAN_Spot (Keras) with a residual block of CBAM behind each pool: in the three streams and after the merge.
import keras
from keras import layers


def channel_attention(x, channels, reduction=16):
    narrow = layers.Dense(max(channels // reduction, 1), activation="relu")
    widen = layers.Dense(channels)
    mean = widen(narrow(layers.GlobalAveragePooling2D(keepdims=True)(x)))
    most = widen(narrow(layers.GlobalMaxPooling2D(keepdims=True)(x)))
    gate = layers.Activation("sigmoid")(layers.Add()([mean, most]))
    return layers.Multiply()([x, gate])


def spatial_attention(x):
    mean = keras.ops.mean(x, axis=-1, keepdims=True)
    most = keras.ops.max(x, axis=-1, keepdims=True)
    gate = layers.Conv2D(1, (7, 7), padding="same", use_bias=False)(layers.Concatenate()([most, mean]))
    gate = layers.Activation("sigmoid")(layers.BatchNormalization()(gate))
    return layers.Multiply()([x, gate])


def cbam_block(x, channels):
    y = layers.Conv2D(channels, (3, 3), padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.Conv2D(channels, (3, 3), padding="same", use_bias=False)(y)
    y = layers.BatchNormalization()(y)
    y = spatial_attention(channel_attention(y, channels))
    return layers.ReLU()(layers.Add()([x, y]))


def stream(filters):
    inputs = layers.Input((42, 42, 1))
    x = layers.Conv2D(filters, (5, 5), padding="same", activation="relu")(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.MaxPooling2D((3, 3), strides=3, padding="same")(x)
    x = cbam_block(x, filters)
    return inputs, layers.Dropout(0.3)(x)


def mean_spot_cbam():
    u, of_u = stream(3)
    v, of_v = stream(3)
    strain, of_strain = stream(8)
    x = layers.Concatenate()([of_u, of_v, of_strain])
    x = layers.Conv2D(8, (5, 5), padding="same", activation="relu")(x)
    x = layers.MaxPooling2D((2, 2), strides=2, padding="same")(x)
    x = cbam_block(x, 8)
    x = layers.Dropout(0.2)(layers.Flatten()(x))
    return keras.Model([u, v, strain], layers.Dense(1, name="score")(x))
