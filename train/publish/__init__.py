"""Bundle -> model repository on the Hub, and its card: `python -m train publish` and `card`."""
