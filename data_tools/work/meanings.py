"""What the words of a manifest mean, each in a sentence."""

from data_tools.work.manifest import Reason, Status

_STATUSES = {
    Status.FOUND: "Not fetched yet; the next run of collect goes on with it.",
    Status.FETCHED: "Fetched and not looked at yet; filter comes next.",
    Status.KEPT: "Passed everything.",
    Status.REJECTED: "Not kept; no reason was noted.",
    Status.FAILED: "Could not be fetched; no reason was noted.",
    Status.OPTED_OUT: "Its owner asked not to be collected.",
    Status.DEFERRED: "To be tried again later.",
    Status.REMOVED: "Taken out of the data set.",
}
_REASONS = {
    Reason.BAD_URL: "The address is none that can be fetched.",
    Reason.PRIVATE_ADDRESS: "The address leads into a private network, where nothing is fetched.",
    Reason.UNKNOWN_HOST: "There is no such host, or not any more.",
    Reason.CONNECTION_FAILED: "The host did not answer, or broke off.",
    Reason.TIMEOUT: "It took too long.",
    Reason.REDIRECTS: "It led from address to address without an end.",
    Reason.HTTP_STATUS: "The host answered with an error, such as 404: the picture is gone.",
    Reason.TOO_LARGE: "The file is larger than allowed.",
    Reason.SHORT_BODY: "The file ended before it was complete.",
    Reason.CONTENT_ENCODING: "The file was packed in a way that cannot be undone.",
    Reason.EMPTY: "The file has nothing in it.",
    Reason.ROBOTS_TXT: "The site's robots.txt asks programs not to fetch it.",
    Reason.OPT_OUT_HEADER: "The answer carries a header that asks not to be used, such as noai or noimageai.",
    Reason.TDM_RESERVATION: "The site reserves its rights against text and data mining.",
    Reason.RETRY_LATER: "The host asked for patience.",
    Reason.ROBOTS_UNREACHABLE: "The site's robots.txt could not be read, so nothing was fetched from it.",
    Reason.NOT_AN_IMAGE: "What came is not a picture, often a web page instead.",
    Reason.FORMAT: "A picture of a format that is not used, such as GIF.",
    Reason.DAMAGED: "The picture is damaged or incomplete.",
    Reason.TOO_MANY_PIXELS: "The picture has more pixels than allowed.",
    Reason.ANIMATED: "The picture moves.",
    Reason.PLACEHOLDER: "A stand-in for a picture that is gone: many addresses show it, or it is of one colour.",
    Reason.SAME_CONTENT: "The very same file was found at another address before.",
    Reason.NEAR_DUPLICATE: "Nearly the same picture was kept from another address.",
    Reason.NO_FACE: "The detector found no face.",
    Reason.SEVERAL_FACES: "More than one face of about the same size, so it is not clear whose expression is meant.",
    Reason.FACE_TOO_SMALL: "The face has too few pixels to be judged.",
    Reason.TURNED_AWAY: "The head is turned too far to the side.",
    Reason.TOO_DARK: "Even the brightest parts of the face are dark.",
    Reason.TOO_BRIGHT: "Even the darkest parts of the face are bright.",
    Reason.BLURRED: "The face is blurred.",
    Reason.CHANGED: "The address shows another picture than when the data set was made.",
    Reason.REVIEWED_OUT: "A reviewer took it out.",
    Reason.DENYLISTED: "It was taken down before, and does not come back.",
    Reason.TAKEDOWN: "Somebody asked for it to be taken down.",
    Reason.BETWEEN_SPLITS: "It resembles pictures of two splits, and would tie them together.",
    Reason.INTERNAL_ERROR: "A mistake of this program; the manifest's column detail says which.",
}


def meaning(status: str, reason: str | None) -> str:
    """Why rows of a status and reason were not kept, in a sentence."""
    return _REASONS.get(reason) or _STATUSES.get(status, "")
