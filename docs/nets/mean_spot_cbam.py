# MEAN_Spot with a residual block of CBAM behind each pool: in its three streams and after the merge
import keras
from keras import layers


def channel_attention(x, channels):
    narrow = layers.Dense(max(channels // 16, 1), activation="relu")
    widen = layers.Dense(channels)
    mean = widen(narrow(layers.GlobalAveragePooling2D(keepdims=True)(x)))
    most = widen(narrow(layers.GlobalMaxPooling2D(keepdims=True)(x)))
    return layers.Multiply()([x, layers.Activation("sigmoid")(layers.Add()([mean, most]))])


def spatial_attention(x):
    most = keras.ops.amax(x, axis=-1, keepdims=True)
    mean = keras.ops.mean(x, axis=-1, keepdims=True)
    gate = layers.Conv2D(1, (7, 7), padding="same", use_bias=False)(layers.Concatenate()([most, mean]))
    return layers.Multiply()([x, layers.Activation("sigmoid")(layers.BatchNormalization()(gate))])


def cbam_block(x, channels):
    y = layers.Conv2D(channels, (3, 3), padding="same", use_bias=False)(x)
    y = layers.Activation("relu")(layers.BatchNormalization()(y))
    y = layers.BatchNormalization()(layers.Conv2D(channels, (3, 3), padding="same", use_bias=False)(y))
    y = spatial_attention(channel_attention(y, channels))
    return layers.Activation("relu")(layers.Add()([x, y]))


inputs, streams = [], []
for filters in (3, 3, 8):
    x = layers.Input(shape=(42, 42, 1))
    inputs.append(x)
    x = layers.Conv2D(filters, (5, 5), padding="same", activation="relu")(x)
    x = layers.BatchNormalization()(x)
    x = layers.MaxPooling2D((3, 3), padding="same", strides=(3, 3))(x)
    x = cbam_block(x, filters)
    streams.append(layers.Dropout(0.3)(x))
x = layers.Concatenate()(streams)
x = layers.Conv2D(8, (5, 5), padding="same", activation="relu")(x)
x = layers.MaxPooling2D((2, 2), padding="same", strides=(2, 2))(x)
x = cbam_block(x, 8)
x = layers.Dropout(0.2)(layers.Flatten()(x))
x = layers.Dense(1, activation="linear", name="spot")(x)
model = keras.models.Model(inputs=inputs, outputs=x)
