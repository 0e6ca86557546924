"""What tests share.

annotations      annotation files as other programs write them, recordings to annotate
conformance      what tensorflow_model_server answers, request by request
count_timit      counts the phones of a TIMIT-layout tree without the zoo
doctests         running the examples of docstrings
examples         inputs for every model
gradients        the gradient of a function on whichever backend is active
harness          what every layer must survive
kills            killing a command again and again
networks         small networks to invert, and spectrograms for them
plain_models     SavedModels as other people write them
probes           what is computed, to be compared between backends
reference        pooling, unpooling, upsampling and convolution as loops
runs             run folders without training, good and bad WAV files
shared           what several processes need, made by one of them
served           small SavedModels and a server process to ask them
trees            small TIMIT-layout trees of tones and noise
"""
