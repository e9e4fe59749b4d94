"""What the app is made of: its tabs, the files it serves, and how it is put on the Hub."""
