# 同一个编码器，改用 padding="same"：时间方向的陷阱
import keras
from keras import layers


def encoder(input_shape=(100, 161, 1)):
    inputs = layers.Input(shape=input_shape)
    x = inputs
    for i, filters in enumerate([16, 32, 64, 128, 256]):
        kernel = (1, 3) if i == 0 else (2, 3)
        x = layers.Conv2D(filters, kernel, strides=(1, 2), padding="same", name=f"conv{i + 1}")(x)
        x = layers.BatchNormalization()(x)
        x = layers.ELU()(x)
    return keras.Model(inputs, x)
