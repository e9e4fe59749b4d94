"""Who may send how much, and who comes next: limits, queues and workers."""
