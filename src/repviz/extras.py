"""Packages that only some commands need: what to install for them.

Messages name these packages, never ``repviz[...]``: where an index does not have this project, its name is anyone's,
and pip would bring a stranger's code. On PyPI it is another project's.
"""

from importlib.metadata import PackageNotFoundError, requires


def install_command(extra: str) -> str:
    """What brings the packages of an extra of ``pyproject.toml``, as ``pip install 'kaleido>=1.1'``.

    Raises:
        KeyError: there is no such extra.
    """
    try:
        known = [requirement.partition(";") for requirement in requires("repviz") or ()]
    except PackageNotFoundError:  # run from its sources, not installed
        return f"pip install '.[{extra}]' in the folder of repviz's sources"
    packages = [f"'{name.strip()}'" for name, _, marker in known if marker.strip() == f'extra == "{extra}"']
    if not packages:
        raise KeyError(extra)
    return " ".join(("pip install", *packages))
