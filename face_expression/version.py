"""The version of this project; pyproject.toml reads it from here, and a test compares the others."""

VERSION = "0.2.0"
