"""What comes out: tables and their cells."""
