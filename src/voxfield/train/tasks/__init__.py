"""What can be trained: one file a task, the contract it keeps, and the table of their names."""
