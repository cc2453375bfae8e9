"""What others may listen to."""

from django.dispatch import Signal

on_show = Signal()
"""Sent with what `transitioned` is sent with, and before it, where somebody goes up or comes down.

Bells ring in the order in which they were put into `transaction.on_commit`: screens hear of it
before phones do, and do not wait for a broker that hangs.
"""

transitioned = Signal()
"""Sent inside the transaction of every move: submission, transition, figurine.

The figurine is the one that is approved, as it is under the submission's lock; with any other move
None.

A receiver writes database rows that must stand or fall with the move, and nothing else; whatever
rings a bell goes into `transaction.on_commit`. An exception undoes the move.
"""

shown = Signal()
"""Sent when a showing began or ended, by whoever runs the screens: submission_id."""

looked_again = Signal()
"""Sent once nobody is approved any more whom a backup that was put back says is."""

keepsake_wanted = Signal()
"""Sent inside the transaction in which one is put to work: keepsake."""

keepsake_made = Signal()
"""Sent inside the transaction that stores one: submission, keepsake. As with `transitioned`."""

tidying = Signal()
"""Sent now and then: whoever keeps rows whose time is over deletes them. What breaks is logged."""
