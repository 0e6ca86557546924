"""The cards of the zoo's models; importing this registers every one, without importing Keras."""

from zoo.models.cards import audio, autoencoders, classifiers, digits, recognizers

__all__ = ["audio", "autoencoders", "classifiers", "digits", "recognizers"]
