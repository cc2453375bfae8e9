"""The door to private files: what is behind a signed address, for whom it is meant."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from typing import Any, Final

from django.conf import settings
from django.db.models.fields.files import FieldFile
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from campaign import media

RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")
SOLIDS: Final = {"glb": "model/gltf-binary", "stl": "model/stl"}
"""Python knows them from 3.13 and 3.14 on. Source: IANA, media types of the group `model`."""
KEPT: Final = {
    # A screen has a shelf of its own, from which it deletes; the crew's browsers are anybody's.
    media.Audience.SCREEN: "private, no-store",
    media.Audience.CREW: "private, no-store",
    # A phone may keep what is its owner's, and asks before each use whether it still may.
    media.Audience.PARTICIPANT: "private, no-cache",
}
"""What a browser may do with a picture: from no cache does one open that was erased since."""


@require_safe
def media_file(request: HttpRequest, token: str, name: str = "") -> HttpResponseBase:
    """The file behind a signed address. `?download=name.jpg` saves it under that name.

    304 where the browser has it already; what a name stands for never changes.
    """
    found = media.resolve(token, user=request.user)
    if found is None:
        raise Http404
    kept = KEPT[found.audience]
    saved_as = request.GET.get("download", "")
    wants_copy = bool(FILE_NAME.fullmatch(saved_as))
    disposition = content_disposition_header(wants_copy, saved_as if wants_copy else "") or "inline"
    response: HttpResponseBase
    if settings.S3_BUCKET:
        # The S3 storage alone takes parameters; the presigned address carries them signed.
        presigned: Any = found.file.storage
        asked = {"ResponseContentDisposition": disposition, "ResponseCacheControl": kept}
        response = redirect(presigned.url(found.file.name, parameters=asked))
    else:
        etag = f'"{hashlib.sha256(str(found.file.name).encode()).hexdigest()[:20]}"'
        response = get_conditional_response(request, etag=etag) or _sent(
            found.file, asked=_range(request, etag=etag)
        )
        # With a 304 too: what it says takes the place of what the browser has.
        response["ETag"] = etag
        response["Content-Disposition"] = disposition
        response["Content-Security-Policy"] = "sandbox; default-src 'none'"
        response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = kept
    return response


def _range(request: HttpRequest, *, etag: str) -> str:
    """The part asked for; none where it is meant to go on with another file than this one."""
    is_same = request.headers.get("If-Range", etag) == etag
    return request.headers.get("Range", "") if is_same else ""


def _sent(file: FieldFile, *, asked: str) -> HttpResponse:
    """Raises Http404 where the file was purged since its row was read."""
    ending = str(file.name).rpartition(".")[2]
    kind = SOLIDS.get(ending) or mimetypes.guess_type(str(file.name))[0]
    try:
        with file.open() as stored:
            return _part(
                stored.read(), asked=asked, content_type=kind or "application/octet-stream"
            )
    except FileNotFoundError as error:
        raise Http404 from error


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
