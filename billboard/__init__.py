"""What the public sees: a feed of what is approved, and the screens that show it."""
