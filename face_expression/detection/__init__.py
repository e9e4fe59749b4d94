"""Where faces are in a picture: YuNet or Haar, and where they search."""
