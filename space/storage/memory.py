"""What the C library does with memory that is freed."""

import contextlib
import ctypes
import platform

# Of glibc's malloc.h.
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_ARENAS = 2
# Above a frame of the live view, and below the parts in which Pillow keeps a large photo.
_LARGE_BYTES = 4 << 20


def return_freed_memory() -> None:
    """Let the memory of large pictures go back to the system once they are freed.

    Threads share the arenas of the heap, and what is large has pages of its own, which glibc would give up for good
    after the first large picture. To be called before there are threads. It does nothing where the C library is not
    glibc.
    """
    if platform.libc_ver()[0] == "glibc":
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(None)
            library.mallopt(_M_ARENA_MAX, _ARENAS)
            library.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
