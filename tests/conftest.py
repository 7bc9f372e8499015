"""What all tests share: property tests are judged by what they find, not by how fast they are."""

from hypothesis import settings

settings.register_profile(
    "linescan", deadline=None
)  # the machine is shared, and timing proves nothing
settings.load_profile("linescan")
