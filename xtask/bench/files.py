"""A hundred small files, for pyinfra."""

from pathlib import Path

from pyinfra import config
from pyinfra.operations import files

config.SUDO = True
for path in sorted((Path(__file__).parent / "few").iterdir()):
    files.put(name=f"Copy {path.name}", src=str(path), dest=f"/opt/mosip-prov-bench/{path.name}", mode="644")
