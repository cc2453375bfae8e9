"""The door to private files: what is behind a signed address, for whom it is meant."""

from __future__ import annotations

import mimetypes
import re
from typing import Any, Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.cache import patch_cache_control
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from campaign import media

RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")
SOLIDS: Final = {"glb": "model/gltf-binary", "stl": "model/stl"}
"""Python knows them from 3.13 and 3.14 on. Source: IANA, media types of the group `model`."""
PICTURE_MAX_AGE_S: Final = 600
REDIRECT_MAX_AGE_S: Final = 30
"""Half of what a presigned address lives (settings.PRIVATE_STORAGE, querystring_expire)."""
NO_STORE: Final = "private, no-store"
"""For selfies: no browser's disk may keep a face past its day."""


@require_safe
def media_file(request: HttpRequest, token: str, name: str = "") -> HttpResponse:
    """The file behind a signed address. `?download=name.jpg` saves it under that name."""
    found = media.resolve(token, user=request.user)
    if found is None:
        raise Http404
    file = found.file
    is_selfie = found.picture == media.Picture.SELFIE
    saved_as = request.GET.get("download", "")
    wants_copy = bool(FILE_NAME.fullmatch(saved_as))
    disposition = content_disposition_header(wants_copy, saved_as if wants_copy else "") or "inline"
    if settings.S3_BUCKET:
        # The S3 storage alone takes parameters; the presigned address carries them signed.
        presigned: Any = file.storage
        asked = {
            "ResponseContentDisposition": disposition,
            "ResponseCacheControl": (
                NO_STORE if is_selfie else f"private, max-age={PICTURE_MAX_AGE_S}"
            ),
        }
        response: HttpResponse = redirect(presigned.url(file.name, parameters=asked))
        max_age_s = REDIRECT_MAX_AGE_S
    else:
        ending = str(file.name).rpartition(".")[2]
        kind = SOLIDS.get(ending) or mimetypes.guess_type(str(file.name))[0]
        try:
            with file.open() as stored:
                response = _part(
                    stored.read(),
                    asked=request.headers.get("Range", ""),
                    content_type=kind or "application/octet-stream",
                )
        except FileNotFoundError as error:  # purged since the row was read
            raise Http404 from error
        response["Content-Disposition"] = disposition
        response["Content-Security-Policy"] = "sandbox; default-src 'none'"
        response["X-Content-Type-Options"] = "nosniff"
        max_age_s = PICTURE_MAX_AGE_S
    if is_selfie:
        response["Cache-Control"] = NO_STORE
    else:
        patch_cache_control(response, private=True, max_age=max_age_s)
    return response


def _part(data: bytes, *, asked: str, content_type: str) -> HttpResponse:
    """The bytes asked for, or all: Safari plays no film from an address without ranges.

    One range, as players ask; any other wish is answered whole. Source: RFC 9110, section 14.
    """
    size = len(data)
    found = RANGE.fullmatch(asked)
    first, last = found.groups() if found else ("", "")
    if not first and not last:
        response = HttpResponse(data, content_type=content_type)
    else:
        start = int(first) if first else max(0, size - int(last))
        end = min(int(last), size - 1) if first and last else size - 1
        if first and last and int(last) < start:
            response = HttpResponse(data, content_type=content_type)
        elif start >= size:
            response = HttpResponse(status=416, content_type=content_type)
            response["Content-Range"] = f"bytes */{size}"
        else:
            response = HttpResponse(data[start : end + 1], status=206, content_type=content_type)
            response["Content-Range"] = f"bytes {start}-{end}/{size}"
    response["Accept-Ranges"] = "bytes"
    return response
