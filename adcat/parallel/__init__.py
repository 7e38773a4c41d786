"""Independent tasks, several at a time: in processes of one machine, or on a Spark cluster."""
