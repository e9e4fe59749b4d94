"""What was learned about one person, and how the answers are adapted to it."""
