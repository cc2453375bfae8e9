"""The hosted engine: a selfie and the kit's own render become a figurine on a provider's GPUs.

Light: `engine.py` and `queue.py` bring the provider's client, and only `engines.load` imports them.
"""
