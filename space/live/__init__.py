"""The live view's server: the files that a browser gets, and the frames that it sends."""
