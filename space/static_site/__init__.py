"""The live view as a folder for any host of static files: everything runs on the visitor's device."""
