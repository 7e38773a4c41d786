"""What trainings share: TensorFlow's start, the loop, its schedule, hyperparameter search."""
