"""Tasks of the course texts: spoken digits and a denoiser."""
