"""The phone's socket: says "here is the truth" on connect and whenever something moved."""

from __future__ import annotations

from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from campaign import progress, queries
from campaign.models import Submission

NOT_FOUND = 4404


class ParticipantConsumer(AsyncJsonWebsocketConsumer):
    """Sends queries.Status as JSON. Whoever holds the token may listen; it says nothing else."""

    submission: Submission | None = None
    group: str | None = None

    async def connect(self) -> None:
        token = self.scope["url_route"]["kwargs"]["token"]
        self.submission = await Submission.objects.filter(token=token).afirst()
        await self.accept()
        if self.submission is None:
            await self.close(code=NOT_FOUND)
            return
        # Subscribe first, then read: nothing falls between.
        self.group = progress.group(self.submission.pk)
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.look_again({})

    async def disconnect(self, code: int) -> None:
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """The phone asks by saying anything at all."""
        await self.look_again({})

    async def look_again(self, event: dict[str, Any]) -> None:
        if self.submission is None:
            return
        status = await database_sync_to_async(queries.status)(self.submission)
        await self.send_json(status.as_json())
