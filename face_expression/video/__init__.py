"""Video files: reading, labelling and writing them, with their sound."""
