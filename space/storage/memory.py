"""What the C library does with memory that is freed."""

import contextlib
import ctypes
import platform

# Of glibc's malloc.h.
_M_ARENA_MAX = -8
_ARENAS = 2


def share_arenas() -> None:
    """Keep threads from having an arena of the heap each, in which freed memory of large pictures stays.

    To be called before there are threads. It does nothing where the C library is not glibc.
    """
    if platform.libc_ver()[0] == "glibc":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
