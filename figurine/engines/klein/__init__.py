"""The GPU engine: a selfie and the kit's own render become a photoreal figurine by diffusion."""
