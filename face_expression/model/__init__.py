"""A bundle's configuration, its graphs, and its network: a face's pixels in, probabilities out."""
