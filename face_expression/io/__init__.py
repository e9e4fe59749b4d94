"""Files and folders: what is found in them, and how they are read."""
