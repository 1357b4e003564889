# The first two blocks of a ResNet stage: the stride sits on the first 1 x 1 and on the shortcut
from keras import layers


def block(x, filters, stride=1, shortcut=True):
    side = layers.Conv2D(4 * filters, 1, strides=stride)(x) if shortcut else x
    x = layers.Activation("relu")(layers.Conv2D(filters, 1, strides=stride)(x))
    x = layers.Activation("relu")(layers.Conv2D(filters, 3, padding="same")(x))
    x = layers.Conv2D(4 * filters, 1)(x)
    return layers.Activation("relu")(layers.Add()([side, x]))


x = layers.Input(shape=(56, 56, 64))
x = block(x, 64, stride=2)
x = block(x, 64, shortcut=False)
