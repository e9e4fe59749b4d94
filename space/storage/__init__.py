"""Files that exist for a short time on the server: uploads, videos, and their removal."""
