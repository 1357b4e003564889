# A MobileNet block: one 3x3 kernel per channel, then 1x1 over the channels.
from keras import layers

x = layers.Input((32, 32, 64))
x = layers.DepthwiseConv2D((3, 3), padding="same", use_bias=False, name="depthwise")(x)
x = layers.BatchNormalization()(x)
x = layers.ReLU(6.0)(x)
x = layers.Conv2D(128, (1, 1), use_bias=False, name="pointwise")(x)
