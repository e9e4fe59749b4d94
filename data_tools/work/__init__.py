"""The work folder: manifest, decisions, denylist and the files of images."""
