"""Figures of Churchman (2015): sounds reconstructed from a layer's activity."""
