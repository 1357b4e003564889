# MobileNet v1 (Keras): a 3 x 3 convolution, then thirteen pairs of a depthwise 3 x 3 and a 1 x 1
from keras import layers

alpha, side, classes = 1.0, 224, 1000
x = layers.Input(shape=(side, side, 3))
x = layers.Conv2D(int(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="stem")(x)
x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
pairs = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [(1024, 2), (1024, 1)]
for i, (filters, stride) in enumerate(pairs):
    if stride == 2:
        x = layers.ZeroPadding2D(((0, 1), (0, 1)))(x)
    padding = "same" if stride == 1 else "valid"
    x = layers.DepthwiseConv2D(3, strides=stride, padding=padding, use_bias=False, name=f"depthwise{i + 1}")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.Conv2D(int(filters * alpha), 1, use_bias=False, name=f"pointwise{i + 1}")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
x = layers.GlobalAveragePooling2D()(x)
x = layers.Dense(classes, name="classifier")(x)
