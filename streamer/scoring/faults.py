"""What can go wrong with scoring besides wrong input; knows no kernel."""


class KernelError(RuntimeError):
    """The kernel that would score is not one that the configuration, or the environment, allows."""
