"""What is missing is said in one sentence, and Keras gets a backend that is there."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from zoo import extras
from zoo.cli import main
from zoo.errors import UsageError

ROOT = Path(__file__).resolve().parents[1]


def packages_of(extra):
    """Names of the packages that an extra installs, those of the extras that it takes included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = set()
    for need in project["optional-dependencies"][extra]:
        inner = re.match(r"phone-zoo\[(.*)\]", need)
        if inner:
            found |= {p for name in inner[1].split(",") for p in packages_of(name)}
        else:
            found.add(re.match(r"[\w-]+", need)[0])
    return found


@pytest.mark.parametrize("extra", extras.MODULES)
def test_an_extra_installs_the_modules_that_it_stands_for(extra):
    for module in extras.MODULES[extra]:
        assert extras.PACKAGES.get(module, module) in packages_of(extra)


@pytest.mark.parametrize(
    ("words", "module", "extra"),
    [
        ("serve --model phones=out", "starlette", "serving"),
        ("export run out", "tensorflow_serving", "serving"),
        ("export run out --format litert", "ai_edge_litert", "litert"),
        ("export run out --format onnx", "tf2onnx", "onnx"),
        ("report run --data set", "jinja2", "reports"),
        ("data show set", "matplotlib", "reports"),
        ("experiment riemens_table2 --data set", "matplotlib", "reports"),
        ("reconstruct time --layer conv1 --chirps --out out", "matplotlib", "reports"),
        ("tune time --data set --out study", "keras_tuner", "tuning"),
        ("tune --join host:1 --out study", "six", "tuning"),
        ("quickstart", "espeakng_loader", "synth"),
        ("quickstart", "uvicorn", "serving"),
        ("corpus synth corpus", "espeakng_loader", "synth"),
        ("prepare corpus set --beam=", "apache_beam", "beam"),
    ],
)
def test_a_command_says_what_to_install(words, module, extra, monkeypatch, tmp_path, capsys):
    # As where nothing of that name is installed.
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(extras, "installed", lambda name, real=extras.installed: (
        name != module and (real(name) or name in extras.MODULES[extra])
    ))  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    said = capsys.readouterr().err
    package = extras.PACKAGES.get(module, module)
    assert said.endswith(
        f" requires {package}, which is not installed: pip install 'phone-zoo[{extra}]'\n"
    )
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_import_that_fails_in_the_middle_is_explained(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert extras.explained(ModuleNotFoundError("no", name="matplotlib.figure")) == (
        "this needs matplotlib, which is not installed: pip install 'phone-zoo[reports]'"
    )
    assert extras.explained(ModuleNotFoundError("no", name="something.else")) is None
    assert extras.explained(ImportError("a name that numpy lacks", name="numpy")) is None


def test_the_library_says_it_too(monkeypatch, tmp_path):
    from zoo.pages import write_page

    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(UsageError, match=r"page.html requires jinja2, .*'phone-zoo\[reports\]'"):
        write_page(tmp_path / "page.html", tmp_path / "template.html")


def told(code, *hidden, home=None, **environment):
    """What Python prints where these modules are missing and Keras' settings lie in `home`."""
    env = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    hide = f"import sys; sys.modules.update(dict.fromkeys({hidden!r}))\n"
    done = subprocess.run(
        [sys.executable, "-c", hide + code],
        env={**env, "KERAS_HOME": str(home or f"{os.devnull}/nowhere"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout + done.stderr).strip()


CHOSEN = "import zoo, os; print(os.environ.get('KERAS_BACKEND'), 'keras' in sys.modules)"
BACKENDS = ("tensorflow", "jax", "torch")


@pytest.mark.tensorflow
@pytest.mark.jax
class TestBackend:
    """Which one Keras takes once the zoo is imported."""

    def test_keras_default_stays_where_it_is_installed(self):
        assert told(CHOSEN) == "None False"

    def test_an_installed_one_is_taken_where_the_default_is_missing(self):
        assert told(CHOSEN, "tensorflow") == "jax False"

    def test_a_command_starts_without_what_keras_only_offers_functions_for(self):
        packages = ("jax", "matplotlib", "sklearn")
        code = (
            "import zoo.startup; zoo.startup.start_backend()\n"
            f"print('keras' in sys.modules, sys.modules.keys() & set({packages}))\n"
            "import jax, matplotlib, sklearn"
        )
        assert told(code) == "True set()"

    def test_what_the_user_set_stays(self):
        assert told(CHOSEN, "tensorflow", KERAS_BACKEND="tensorflow") == "tensorflow False"

    def test_the_users_settings_count_where_it_is_installed(self, tmp_path):
        (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
        assert told(CHOSEN, "tensorflow", home=tmp_path) == "None False"
        assert told(CHOSEN, "jax", home=tmp_path) == "tensorflow False"

    def test_damaged_settings_say_nothing(self, tmp_path):
        (tmp_path / "keras.json").write_text("{")
        assert told(CHOSEN, home=tmp_path) == "None False"


@pytest.mark.parametrize(
    "code",
    [
        "from zoo.cli import main; sys.exit(main(['show', 'time']))",
        "import zoo; zoo.build('time')",
        "import zoo; zoo.load('time-synthetic')",
    ],
)
def test_no_backend_at_all_is_one_sentence(code):
    said = told(code, *BACKENDS)
    assert (
        said.endswith(
            "Keras needs a backend, and none is installed: pip install 'phone-zoo[tensorflow]', or "
            "[jax], or [torch]"
        )
        or "x is no prepared set" in said
    )


def test_what_needs_no_keras_works_without_a_backend():
    code = "from zoo.cli import main; sys.exit(main(['list', 'freq_full*']))"
    assert "freq_fullpad" in told(code, *BACKENDS)


def test_a_backend_that_keras_has_not_is_named():
    code = "from zoo.cli import main; sys.exit(main(['show', 'time']))"
    said = told(code, KERAS_BACKEND="jaxx")
    assert said.endswith("zoo show: Keras has no backend 'jaxx'. Did you mean 'jax'?")
