"""An explorer with spyglass and map, one foot on a rock, not minding the snake."""
