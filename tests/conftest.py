"""What all tests share."""

from hypothesis import settings

# A machine may be slow and busy; a test says what is true, not how fast. Drawn examples are the
# same at every run, so that a red run can be repeated.
settings.register_profile("adcat", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("adcat")
