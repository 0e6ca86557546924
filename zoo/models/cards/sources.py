"""Where the zoo's models come from, and what their outputs stand for."""

RIEMENS = (
    "J. Riemens, Using convolutional autoencoders to improve classification performance (2015)"
)
CHURCHMAN = (
    "T. J. Churchman, Reconstructing speech input from convolutional neural network activity (2015)"
)
AALTO = "Aalto University, ELEC-C5220, lecture 3 (spoken digits)"
PENN = "University of Pennsylvania, lab 2B: convolutional neural networks (2023)"
ROCH = "M. Roch, Convolutional models (course slides)"

PHONES = "48 phone classes of Lee & Hon (1989), counted as 39 groups"
DIGITS = "the ten digits"
