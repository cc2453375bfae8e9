"""What the desk's scripts say. `{name}` is filled in by the browser."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

_SHARED: Final = {
    "away": _("No connection. You can go on with what you see."),
    "signed_out": _("You were signed out. You can go on with what you see."),
    "sign_in": _("Sign in again"),
    "somebody_else": _(
        "{who} is signed in on this browser now. What you decide waits until you are again."
    ),
    "go_on_as": _("Go on as {who}"),
    "sign_out": _("Sign {who} out"),
    "kept_one": _("One decision is kept here and goes out by itself."),
    "kept_many": _("{count} decisions are kept here and go out by themselves."),
    "gone": _("That one has moved on."),
    "recall": _("Recalled {label}"),
    "nothing_to_undo": _("Nothing to take back."),
}

REVIEW_WORDS: Final = {
    **_SHARED,
    "selfie": _("Selfie"),
    "figurine": _("Figurine"),
    "approve": _("Approved {label}"),
    "release": _("Released {label}: it comes back with its figurine"),
    "reject": _("Rejected {label}"),
    "undo": _("{label} is back in review"),
    "undone": _("Taken back: {label}"),
    "too_late": _("{label} is being made already. It comes back here with its figurine."),
    "claimed": _("{who} looks at {label}. Here is the next."),
    "gone_label": _("{label} is deleted, as its owner asked or its day is over."),
    "wait_for_picture": _("Wait for the picture."),
    "no_picture": _("A picture does not come. Skip it, or reject it."),
    "only_one": _("There is no other free one."),
    "rest_done": _("All looked at."),
    "rest_done_more": _("New ones appear here by themselves. Stretch your legs."),
    "rest_others": _("The others have the rest."),
    "rest_others_more": _(
        "Everything that waits is open on another desk. Pick one below to look at it all the same."
    ),
}

WALL_WORDS: Final = {
    **_SHARED,
    "recalling": _("Going dark …"),
    "not_sent": _("Not sent: no connection."),
    "not_sent_sign_in": _("Not sent: sign in."),
    "recalled_in": _("Recalled in {seconds} s. Screens are going dark …"),
    "dark_in": _("Dark on every screen after {seconds} s."),
    "dark_but_away": _(
        "Dark on every connected screen after {seconds} s. "
        "Not connected, and not confirmed: {screens}"
    ),
    "not_dark_yet": _("Recalled, but not yet confirmed by: {screens}"),
    "back_in_review": _("Back in review."),
    "taken_down": _("Taken down elsewhere."),
    "undone_recall": _("{label} is back in review. Nothing goes up until it is approved again."),
    "news_one": _("One more above"),
    "news_many": _("{count} more above"),
    "news_gap": _("At least {count} more above. Load the wall again"),
}
