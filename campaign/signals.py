"""What others may listen to."""

from django.dispatch import Signal

transitioned = Signal()
"""Sent inside the transaction of every move: submission, transition.

A receiver writes database rows that must stand or fall with the move, and nothing else; whatever
rings a bell goes into `transaction.on_commit`. An exception undoes the move.
"""

shown = Signal()
"""Sent when a showing began or ended, by whoever runs the screens: submission_id."""

keepsake_wanted = Signal()
"""Sent inside the transaction in which one is put to work: keepsake."""

keepsake_made = Signal()
"""Sent inside the transaction that stores one: submission, keepsake. As with `transitioned`."""

tidying = Signal()
"""Sent now and then: whoever keeps rows whose time is over deletes them. What breaks is logged."""
