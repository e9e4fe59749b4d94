"""What a failure in a browser leaves to read where nobody can look at it: the pages' words, and the app's queue."""

from collections.abc import Iterator


def describe_what_was_open(fixtures: dict[str, object]) -> Iterator[tuple[str, str]]:
    """A title and a text for each of a test's fixtures that can say something."""
    for name, given in fixtures.items():
        if name in {"open_page", "open_shared_page"}:
            yield f"pages of {name}", given.describe()
        elif name == "served_app":
            yield "queue of served_app", describe_queue(given[2])


def describe_queue(page) -> str:
    """The events that wait or are being worked on, and who reads the answers; the app goes on meanwhile."""
    from space.gradio_internals import queue_of

    queue = queue_of(page)
    running = {event._id for job in queue.active_jobs if job for event in job}
    events = [
        f"{event.fn.name} of {event.session_hash}: {'works' if name in running else 'waits'}"
        for name, event in list(queue.event_ids_to_events.items())
    ]
    boxes = [
        f"{session}: {box.qsize()} messages, read by {box.readers}, unread for {box.unread_for_s():.1f} s"
        for session, box in list(queue.pending_messages_per_session.items())
    ]
    return "\n".join(events + boxes) or "empty"
