"""Training data: recordings, mixtures made on the fly, crops, images of flow."""
