"""Training and scoring: any forecaster, any data set."""
