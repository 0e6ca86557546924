"""Tables and figures of Riemens (2015): phone classifiers and their autoencoders."""
