"""What can go wrong with a feature extractor besides wrong input; knows no engine."""


class ProviderError(RuntimeError):
    """The engine does not run on what the configuration asks for."""


class ParityError(RuntimeError):
    """An exported model does not compute what its torch original computes."""
