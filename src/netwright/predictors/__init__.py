"""Predictors: surrogates that learn scores from architectures."""
