"""`zoo.data.tfio`, the public name of `zoo.data.corpora.tfio`."""

from zoo.data.corpora.tfio import audio_dataset, decode_audio

__all__ = ["audio_dataset", "decode_audio"]
