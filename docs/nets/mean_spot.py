# MEAN_Spot: three streams of optical flow, one score
import keras
from keras import layers

inputs, streams = [], []
for filters in (3, 3, 8):
    x = layers.Input(shape=(42, 42, 1))
    inputs.append(x)
    x = layers.Conv2D(filters, (5, 5), padding="same", activation="relu")(x)
    x = layers.BatchNormalization()(x)
    x = layers.MaxPooling2D((3, 3), padding="same", strides=(3, 3))(x)
    streams.append(layers.Dropout(0.3)(x))
x = layers.Concatenate()(streams)
x = layers.Conv2D(8, (5, 5), padding="same", activation="relu")(x)
x = layers.MaxPooling2D((2, 2), padding="same", strides=(2, 2))(x)
x = layers.Dropout(0.2)(layers.Flatten()(x))
x = layers.Dense(1, activation="linear", name="spot")(x)
model = keras.models.Model(inputs=inputs, outputs=x)
