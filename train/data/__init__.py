"""Data sets of faces: reading, targets, augmentation, and what an epoch is made of."""
