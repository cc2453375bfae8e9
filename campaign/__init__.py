"""The submission and its life, from upload to approval."""
