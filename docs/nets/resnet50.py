# ResNet50 (Keras): block1 and stack1; the stride sits on the first 1 x 1 convolution and on the shortcut
from keras import layers


def conv_norm(x, filters, kernel, stride=1):
    x = layers.Conv2D(filters, kernel, strides=stride, padding="same" if kernel == 3 else "valid")(x)
    return layers.BatchNormalization(epsilon=1.001e-5)(x)


def block1(x, filters, stride=1, conv_shortcut=True):
    shortcut = conv_norm(x, 4 * filters, 1, stride) if conv_shortcut else x
    x = layers.Activation("relu")(conv_norm(x, filters, 1, stride))
    x = layers.Activation("relu")(conv_norm(x, filters, 3))
    x = conv_norm(x, 4 * filters, 1)
    return layers.Activation("relu")(layers.Add()([shortcut, x]))


def stack1(x, filters, blocks, stride=2):
    x = block1(x, filters, stride)
    for _ in range(blocks - 1):
        x = block1(x, filters, conv_shortcut=False)
    return x


x = layers.Input(shape=(224, 224, 3))
x = layers.Activation("relu")(conv_norm(layers.ZeroPadding2D(3)(x), 64, 7, 2))
x = layers.MaxPooling2D(3, strides=2)(layers.ZeroPadding2D(1)(x))
x = stack1(x, 64, 3, stride=1)
x = stack1(x, 128, 4)
x = stack1(x, 256, 6)
x = stack1(x, 512, 3)
x = layers.Dense(1000)(layers.GlobalAveragePooling2D()(x))
