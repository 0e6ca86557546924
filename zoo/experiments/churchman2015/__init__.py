"""Figures of Churchman (2015): sounds reconstructed from what a layer keeps of them."""
