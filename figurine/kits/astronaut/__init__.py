"""An astronaut back from the moon, helmet under one arm, waving with the other."""
