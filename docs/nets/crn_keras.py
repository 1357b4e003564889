# 卷积循环网络的编码器（Keras）：第一层 (1, 3)，之后 (2, 3)，步长 (1, 2)，滤波器 16 到 256
import keras
from keras import layers


def encoder(input_shape=(100, 161, 1)):
    inputs = layers.Input(shape=input_shape)
    x = inputs
    for i, filters in enumerate([16, 32, 64, 128, 256]):
        kernel = (1, 3) if i == 0 else (2, 3)
        x = layers.ZeroPadding2D(((kernel[0] - 1, 0), (0, 0)))(x)  # 只在过去一侧补零
        x = layers.Conv2D(filters, kernel, strides=(1, 2), name=f"conv{i + 1}")(x)
        x = layers.BatchNormalization()(x)
        x = layers.ELU()(x)
    return keras.Model(inputs, x)
