import pytest

from kernels import compiled, paths
from kernels.paths import PATH_VARIABLE, REFERENCE, chosen_path, usable_paths


def test_the_fastest_runs_unless_another_is_asked_for(monkeypatch):
    monkeypatch.delenv(PATH_VARIABLE, raising=False)
    choices = [*usable_paths(), REFERENCE]
    assert chosen_path() == choices[0]
    for choice in choices:
        monkeypatch.setenv(PATH_VARIABLE, choice)
        assert chosen_path() == choice


def test_what_is_not_there_is_refused(monkeypatch):
    monkeypatch.setenv(PATH_VARIABLE, "abacus")
    with pytest.raises(ValueError, match="LINESCAN_KERNEL must be one of .*reference here, got"):
        chosen_path()


def test_without_the_module_there_is_the_reference(monkeypatch):
    monkeypatch.delenv(PATH_VARIABLE, raising=False)
    monkeypatch.setattr(paths, "_native", lambda: None)
    assert (usable_paths(), chosen_path()) == ([], REFERENCE)
    assert compiled.chosen_path() == REFERENCE
