#!/usr/bin/env python3
"""Makes a virtual environment and fills it; in a moment when it is filled already.

    python3 scripts/environment.py PURPOSE [--venv DIR]

The Makefile calls it before every target. It runs on any Python 3.7 or newer with nothing but the
standard library, finds a Python that the zoo supports, and takes uv where that is installed, pip
otherwise. Versions come from constraints.txt; the purposes `io`, `beam` and `cluster` have files of their own.
"""

import argparse
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

try:
    import fcntl
except ImportError:  # no such lock on Windows; everything else works
    fcntl = None

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SUPPORTED = ((3, 11), (3, 12), (3, 13))
# The order of preference where the given Python will not do.
NAMES = ("python3.12", "python3.11", "python3.13")
STAMP = ".zoo-environment.json"

TEST = ("all", "bench", "dev", "docs")
# purpose -> (extras, constraints, newest Python that will do)
PURPOSES = {
    "quickstart": (
        ("tensorflow", "serving", "client", "reports", "synth"),
        "constraints.txt",
        (3, 13),
    ),
    "test": (TEST, "constraints.txt", (3, 13)),
    "torch": (("torch",), "constraints.txt", (3, 13)),
    "jax": (("jax", "tuning", "synth", "align", "bench", "dev"), "constraints.txt", (3, 13)),
    "bench": ((*TEST, "torch"), "constraints.txt", (3, 13)),
    "docs": (("all", "docs"), "constraints.txt", (3, 13)),
    "io": (("io", "tensorflow", "serving", "dev"), "constraints-io.txt", (3, 12)),
    "beam": (("beam", "tensorflow", "dev"), "constraints-beam.txt", (3, 13)),
    "cluster": (("dask", "tensorflow", "jax", "tuning", "dev"), "constraints-beam.txt", (3, 13)),
}


class Problem(Exception):
    """Something the caller has to put right, in one sentence."""


def say(text):
    """Tell the user on stderr, so that stdout stays the target's own."""
    print("environment: " + text, file=sys.stderr, flush=True)


def run(command, **options):
    """Run a command without standard input, so that nothing can stop to ask."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, **options)


def version_of(python):
    """(major, minor) of an interpreter, or None where it does not run."""
    ask = "import sys; print(*sys.version_info[:2])"
    try:
        answer = run([python, "-c", ask], capture_output=True, text=True, timeout=60)
        major, minor = answer.stdout.split()
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return int(major), int(minor)


def supported(newest):
    """The supported versions up to `newest`."""
    return [version for version in SUPPORTED if version <= newest]


def dotted(version):
    """`3.11`."""
    return ".".join(map(str, version))


def words(versions):
    """`3.11, 3.12 or 3.13`."""
    names = [dotted(version) for version in versions]
    return ", ".join(names[:-1]) + " or " + names[-1]


def find_python(asked, newest):
    """An interpreter that will do: the one asked for, or another that is installed."""
    wanted = supported(newest)
    found = version_of(asked)
    if found in wanted:
        return asked
    here = f"{asked} is Python {dotted(found)}" if found else f"{asked} does not run"
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    for name in NAMES:
        # pyenv puts a name on the PATH that fails until a version is chosen
        places = [shutil.which(name), *sorted(glob.glob(pyenv + "/versions/*/bin/" + name))]
        for place in filter(None, places):
            if version_of(place) in wanted:
                say(f"{here}, this needs {words(wanted)}: taking {place}")
                return place
    raise Problem(
        f"the zoo needs Python {words(wanted)} here and {here}; install one of them, or name one: "
        "make PYTHON=/path"
    )


def fingerprint(purpose_constraints):
    """What an installation depends on: the project's metadata, the versions, the packages."""
    digest = hashlib.sha256()
    with open(os.path.join(ROOT, "pyproject.toml"), encoding="utf-8") as file:
        part = ""
        for line in file:
            if line.startswith("["):
                part = line.strip(" []\n")
            # A changed rule for ruff or pytest installs nothing.
            if part.split(".")[0] in ("build-system", "project") or "setuptools" in part:
                digest.update(line.encode())
    with open(os.path.join(ROOT, purpose_constraints), "rb") as file:
        digest.update(file.read())
    digest.update(repr(sorted(PURPOSES.items())).encode())
    # An editable installation knows the top-level packages of the day it was made.
    for name in sorted(os.listdir(ROOT)):
        if os.path.exists(os.path.join(ROOT, name, "__init__.py")):
            digest.update(name.encode())
    return digest.hexdigest()


def python_in(venv):
    """The environment's own interpreter."""
    return os.path.join(venv, "bin", "python")


def packages_in(venv):
    """What lies in site-packages and bin: enough to notice that something was taken away."""
    folders = [*glob.glob(os.path.join(venv, "lib", "python3.*", "site-packages"))]
    folders.append(os.path.join(venv, "bin"))
    names = []
    for folder in folders:
        if os.path.isdir(folder):
            names += [name for name in os.listdir(folder) if name != "__pycache__"]
    return sorted(names)


def read_stamp(venv):
    """The stamp, or None where there is none that can be read."""
    try:
        with open(os.path.join(venv, STAMP), encoding="utf-8") as file:
            stamp = json.load(file)
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) else None


def write_stamp(venv, entries):
    """Replace the stamp in one step, so that no reader meets half of one."""
    entries = dict(entries, venv=os.path.abspath(venv))
    path = os.path.join(venv, STAMP)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(entries, file, indent=1)
    os.replace(path + ".new", path)


def fault(venv, stamp, newest):
    """Why this environment has to be made anew, or None where it can be kept and added to."""
    foreign = stamp is None and not os.path.exists(os.path.join(venv, "pyvenv.cfg"))
    if foreign and os.path.isdir(venv) and os.listdir(venv):
        raise Problem(f"{venv} is not a virtual environment; name another: make VENV=DIR")
    version = version_of(python_in(venv))
    if version is None:
        return "its Python does not run"
    if stamp is None:
        # Perhaps the user's own: added to if it can be, never thrown away while it works.
        if version in supported(newest):
            return None
        raise Problem(
            f"{venv} is an environment of Python {dotted(version)} that this script did not make; "
            "remove it, or choose another place: make VENV=DIR"
        )
    if stamp.get("state") != "ready":
        return "it was left half made"
    if stamp.get("venv") != os.path.abspath(venv):
        return "it was moved or copied here"
    if version not in supported(newest):
        return f"it has Python {dotted(version)}"
    missing = set(stamp.get("packages", [])) - set(packages_in(venv))
    if missing:
        return f"{min(missing)} is missing from it"
    return None


def uv_settings():
    """The environment for uv, with what was set for pip."""
    settings = dict(os.environ)
    for pip, uv in (
        ("PIP_FIND_LINKS", "UV_FIND_LINKS"),
        ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
        ("PIP_CERT", "SSL_CERT_FILE"),
    ):
        if pip in settings:
            settings.setdefault(uv, settings[pip])
    return settings


def create(venv, python):
    """An empty environment, marked as half made until it is filled."""
    if os.path.islink(venv) or os.path.isfile(venv):
        os.remove(venv)
    elif os.path.isdir(venv):
        # Renamed first: an interrupted removal must not leave something that looks whole.
        doomed = f"{venv}-old-{os.getpid()}"
        os.rename(venv, doomed)
        shutil.rmtree(doomed, ignore_errors=True)
    os.makedirs(venv)
    write_stamp(venv, {"state": "making"})
    has_pip = run([python, "-c", "import ensurepip"], capture_output=True).returncode == 0
    # Debian's Python comes without ensurepip; its own pip, or uv, can fill the environment too.
    command = [python, "-m", "venv", *([] if has_pip else ["--without-pip"]), venv]
    if run(command).returncode:
        raise Problem(
            f"{python} -m venv could not make an environment; on Debian and Ubuntu install "
            "python3-venv"
        )


def installers(venv, python):
    """The commands that can install here, best first, each with its environment."""
    inside = python_in(venv)
    uv = shutil.which("uv")
    if uv:
        yield [uv, "pip", "install", "--quiet", "--python", inside], uv_settings()
    # Compiling every file of TensorFlow takes longer than all the rest; Python does it as needed.
    options = ["-qq", "--no-compile", "--disable-pip-version-check"]
    settings = dict(os.environ, PIP_ROOT_USER_ACTION="ignore", PIP_USER="0")
    if run([inside, "-m", "pip", "--version"], capture_output=True).returncode == 0:
        yield [inside, "-m", "pip", "install", *options], settings
    elif run([python, "-m", "pip", "--version"], capture_output=True).returncode == 0:
        yield [python, "-m", "pip", "--python", inside, "install", *options], settings
    elif not uv:
        raise Problem("neither pip nor uv is here; on Debian and Ubuntu install python3-venv")


def light_torch(venv, constraints):
    """Whether installing torch would take a build without gigabytes of CUDA."""
    if sys.platform == "darwin":
        return True
    constraints = os.path.join(ROOT, constraints)
    command = [python_in(venv), "-m", "pip", "install", "--dry-run", "--no-deps", "--quiet"]
    command += ["--disable-pip-version-check", "--report", "-", "--ignore-installed"]
    answer = run([*command, "-c", constraints, "torch"], capture_output=True, text=True)
    try:
        (torch,) = json.loads(answer.stdout)["install"]
    except (ValueError, KeyError):
        return False
    needs = torch["metadata"].get("requires_dist", [])
    return not any(need.startswith(("nvidia", "cuda")) for need in needs)


def fill(venv, python, extras, constraints):
    """Install the project, editable, with these extras."""
    constraints = os.path.join(ROOT, constraints)
    names = ",".join(sorted(extras))
    for command, settings in installers(venv, python):
        if (
            run([*command, "-c", constraints, "-e", f"{ROOT}[{names}]"], env=settings).returncode
            == 0
        ):
            return
        say(f"`{' '.join(command[:4])}` failed")
    raise Problem("installing failed, see above; the same command tries again")


@contextmanager
def alone():
    """Hold the checkout's lock: two calls of make would otherwise fill one environment at once."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        if fcntl:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another call is at work here, waiting for it")
                fcntl.flock(folder, fcntl.LOCK_EX)
            except OSError:
                say("this file system has no locks: do not start two at once")
        yield
    finally:
        os.close(folder)


def ensure(purpose, venv, asked, torch=None):
    """Make `venv` ready for `purpose`, doing as little as is needed.

    `torch`: whether the tests get PyTorch; None takes it where that costs little.
    """
    _, constraints, newest = PURPOSES[purpose]
    mark = fingerprint(constraints)
    name = os.path.relpath(venv)
    with alone():
        stamp = read_stamp(venv)
        reason = fault(venv, stamp, newest) if os.path.lexists(venv) else "new"
        had = set() if reason or not stamp else set(stamp.get("purposes", ()))
        wanted = {purpose, "torch"} if purpose == "test" and torch else {purpose}
        if not reason and stamp and stamp.get("fingerprint") == mark and wanted <= had:
            return
        started = time.monotonic()
        if reason:
            python = find_python(asked, newest)
            if reason != "new":
                say(f"making {name} anew: {reason}")
            create(venv, python)
        else:
            python = python_in(venv)
        say(f"filling {name} for `{purpose}`; this takes a minute or two, once")
        if purpose == "test" and torch is None and "torch" not in had:
            if light_torch(venv, constraints):
                wanted.add("torch")
            else:
                say("leaving PyTorch out, with its gigabytes of CUDA; make test TORCH=1 takes it")
        # What other purposes put there stays, in the versions of today.
        purposes = sorted(p for p in had | wanted if p in PURPOSES)
        # A user's own environment stays unmarked until it is filled, lest it be made anew.
        if stamp:
            write_stamp(venv, {"state": "making"})
        try:
            fill(venv, python, set().union(*(PURPOSES[p][0] for p in purposes)), constraints)
        except Problem:
            # Usually the network: what was there is untouched, and stays in use.
            if had and packages_in(venv) == stamp.get("packages"):
                write_stamp(venv, stamp)
            raise
        ready = {"state": "ready", "fingerprint": mark, "purposes": purposes}
        write_stamp(venv, dict(ready, packages=packages_in(venv)))
        say(f"{name} is ready after {time.monotonic() - started:.0f} s")


def main(argv=None):
    """Read the command line; 0 when the environment is ready, 1 or 2 with one sentence if not."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("purpose", choices=sorted(PURPOSES))
    parser.add_argument("--venv", help="default .venv; .venv-PURPOSE for io, beam, cluster and jax")
    parser.add_argument("--find", action="store_true", help="only say whether a Python is at hand")
    args = parser.parse_args(argv)
    # What needs other versions, or lacks what the others have, has an environment of its own.
    own = args.purpose in ("io", "beam", "cluster", "jax")
    venv = args.venv or (f".venv-{args.purpose}" if own else ".venv")
    # In an activated environment python3 is that environment's, which may be about to go.
    asked = getattr(sys, "_base_executable", None) or sys.executable
    torch = {"1": True, "0": False}.get(os.environ.get("TORCH", ""))
    try:
        if args.find:
            print(find_python(asked, PURPOSES[args.purpose][2]))
            return 0
        ensure(args.purpose, os.path.join(ROOT, venv), asked, torch)
    except Problem as problem:
        say(str(problem))
        return 2
    except KeyboardInterrupt:
        say("interrupted; the same command resumes")
        return 1
    except OSError as error:
        say(f"{error.filename or venv}: {error.strerror or error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
