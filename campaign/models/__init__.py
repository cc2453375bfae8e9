"""Rows of the record. Slim: behaviour lives in the module of its stage."""

from campaign.models.campaigns import Campaign, EntryPoint
from campaign.models.consents import Consent, ConsentText
from campaign.models.installation import Installation
from campaign.models.jobs import GenerationJob, HostedRequest, LeasedJob
from campaign.models.keepsakes import Keepsake
from campaign.models.purses import PurseCount
from campaign.models.submissions import Figurine, Submission, new_token
from campaign.models.transitions import AppendOnlyError, AppendOnlyQuerySet, ReviewClaim, Transition
from campaign.models.workers import EngineWorker

__all__ = [
    "AppendOnlyError",
    "AppendOnlyQuerySet",
    "Campaign",
    "Consent",
    "ConsentText",
    "EngineWorker",
    "EntryPoint",
    "Figurine",
    "GenerationJob",
    "HostedRequest",
    "Installation",
    "Keepsake",
    "LeasedJob",
    "PurseCount",
    "ReviewClaim",
    "Submission",
    "Transition",
    "new_token",
]
