"""An Airflow of the tests' own: its home is a temporary folder, its plugins are the project's."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

_REPOSITORY = Path(__file__).parents[2]
_HOME = Path(tempfile.mkdtemp(prefix="holdfast-airflow-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)

# Airflow reads this file once, when it is first imported; variables would reach other tests' processes too.
(_HOME / "airflow.cfg").write_text(f"""
[core]
dags_folder = {_HOME}/dags
plugins_folder = {_REPOSITORY}/plugins
load_examples = False
simple_auth_manager_users = reader:viewer
[database]
sql_alchemy_conn = sqlite:///{_HOME}/airflow.db
[api_auth]
jwt_secret = {"tests only, and long enough for SHA-512 to be content with it, " * 2}
[api]
secret_key = tests only
""")
with pytest.MonkeyPatch.context() as _patch, warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for _name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        _patch.delenv(_name)
    _patch.setenv("AIRFLOW_HOME", str(_HOME))
    import airflow.api_fastapi.app
    import airflow.sdk
    import airflow.settings

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from fix_environment import Site

    Adopt = Callable[..., DAG]
_IN_AIRFLOW = "from holdfast_dags import protect\n\n# Airflow looks into files only where they name it.\n"
RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
MODULE = '''"""The app's backups in Airflow, as the policy beside this file declares them."""

from holdfast_dags import protect

globals().update(protect(__file__))
'''


_NOT_OURS = (
    "ignore:GitWildMatchPattern:DeprecationWarning",
    # A DAG that has changed has several serialized versions, which Airflow's own relationship does not expect.
    "ignore:Multiple rows returned with uselist=False:sqlalchemy.exc.SAWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What Airflow warns itself about is not ours to mend."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            for known in _NOT_OURS:
                item.add_marker(pytest.mark.filterwarnings(known))


@pytest.fixture(scope="session")
def metadata() -> Iterator[None]:
    """Airflow's tables, in SQLite."""
    from airflow.utils.db import initdb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        initdb()
        yield
        airflow.settings.dispose_orm()


@pytest.fixture(scope="session")
def dags_folder() -> Path:
    """Where this Airflow looks for DAGs."""
    folder = _HOME / "dags"
    folder.mkdir()
    return folder


@pytest.fixture
def adopt(monkeypatch: pytest.MonkeyPatch, metadata: None, dags_folder: Path) -> Adopt:
    """Puts a site into this Airflow: its connections, and the DAGs of its policy; returns that of the tier."""
    from holdfast_dags import protect

    def put(site: Site, tier: str = "nightly") -> DAG:
        for name, value in site.variables.items():
            monkeypatch.setenv(name, value)
        module = site.policy_file.with_suffix(".py")
        (dags_folder / "shop.py").write_text(f"{_IN_AIRFLOW}globals().update(protect({str(module)!r}))\n")
        return protect(str(module))[f"shop-production.{tier}"]

    return put


@pytest.fixture
def airflow_variables() -> dict[str, str]:
    """The variables of a process of this Airflow."""
    folders = ":".join(str(_REPOSITORY / folder) for folder in ("include", "plugins", "dags"))
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "AIRFLOW_HOME": str(_HOME), "PYTHONPATH": folders}


@pytest.fixture
def write_app(tmp_path: Path) -> Callable[..., Path]:
    """Writes one app's module and policy into a folder of DAGs, and returns the module's path."""

    def write(app: str, **environments: object) -> Path:
        folder = tmp_path / "dags"
        folder.mkdir(exist_ok=True)
        (folder / f"{app}.py").write_text(MODULE)
        (folder / f"{app}.yaml").write_text(yaml.safe_dump({"app": app, "environments": environments}))
        return folder / f"{app}.py"

    return write


@pytest.fixture
def environment(tmp_path: Path) -> Callable[..., dict[str, object]]:
    """The smallest section of an environment, with some fields replaced."""

    def section(**fields: object) -> dict[str, object]:
        return {
            "database": {"conn_id": "demo_db"},
            "store": {"url": f"file://{tmp_path}/store"},
            "keys": {"recipients": [RECIPIENT]},
            "tiers": {"nightly": {"schedule": "0 2 * * *", "keep": "35d"}},
            **fields,
        }

    return section
