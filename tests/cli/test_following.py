"""The line that says which command follows can be pasted into a shell."""

import shlex

import pytest

from zoo.cli.following import print_next, print_serving


@pytest.mark.parametrize("folder", ["prepared", "my set", "it's", "a$b", "-x"])
def test_the_words_come_back_from_a_shell(folder, capsys):
    print_next("evaluate", "runs/first", "--data", folder)
    printed = capsys.readouterr().out.removeprefix("next: ")
    assert shlex.split(printed) == ["zoo", "evaluate", "runs/first", "--data", folder]


@pytest.mark.parametrize(
    ("folder", "name"),
    [("exported", "exported"), ("a b/exported", "exported"), ("my set", "my_set")],
)
def test_a_served_model_is_named_by_its_folder(folder, name, capsys):
    print_serving(folder)
    printed = shlex.split(capsys.readouterr().out.removeprefix("next: "))
    assert printed == ["zoo", "serve", "--model", f"{name}={folder}"]
