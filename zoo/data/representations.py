"""Names of the representations, known without importing Keras."""

REPRESENTATIONS = ("real", "magnitude", "log_magnitude")
"""Parts of the short-time Fourier transform that `zoo.layers.Spectrogram` gives."""
