"""Names of the representations, known without importing Keras."""

STFT_FORMS = (
    "real",
    "magnitude",
    "magnitude_phase",
    "real_imaginary",
    "power",
    "log_magnitude",
    "log_power",
)
"""Forms of the short-time Fourier transform that `zoo.layers.Spectrogram` gives."""

REPRESENTATIONS = (*STFT_FORMS, "log_mel", "mfcc", "gammatone", "frames")
"""All that a segment can be turned into; `zoo.layers.representation_layers` has the layers."""

WAVEFORM = "waveform"
"""The samples themselves, as examples of shape (samples, 1) from which nothing is subtracted."""

DELTAS = (0, 1, 2)
"""Orders of temporal derivatives that can follow a representation's channels."""

MEANS = ("element", "bin", "none")
"""What is subtracted: the mean of every element, of every bin over time, or nothing."""
