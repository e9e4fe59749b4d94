"""Limits for tests that are about something else: all of them are one client."""

from space.limits import Limits

WIDE_LIMITS = Limits(
    page_videos_a_minute=1000,
    events_a_minute=10_000,
    uploads_a_minute=1000,
    upload_bytes_a_minute=10**10,
    frames_a_second=120,
    requests_a_second=1000,
    new_sessions_a_minute=1000,
)
