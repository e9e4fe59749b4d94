"""Bundle -> metrics.json and report: `python -m train evaluate`."""
