"""The classic army man, keeping a lookout with binoculars."""
