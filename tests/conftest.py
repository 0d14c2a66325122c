"""What holds for all tests."""

from hypothesis import settings

# What a function does first, such as importing scipy, takes seconds where other tests run beside it.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
