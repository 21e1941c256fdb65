"""The processes of one run, as what started them says: SLURM, Kubernetes, torchrun or a person.

Each process finds in its environment how many there are, which of them it is and where the first listens. Several
conventions say so, of which the first that is there counts::

    ARCHSPEC_COORDINATOR=host:port  ARCHSPEC_PROCESSES   ARCHSPEC_PROCESS       by hand
    COORDINATOR_ADDRESS[+_PORT]     NUM_PROCESSES        PROCESS_ID             Kubeflow's JAXJob
    MASTER_ADDR, MASTER_PORT        WORLD_SIZE           RANK                   torchrun; Kubeflow's PyTorchJob
                                                         JOB_COMPLETION_INDEX   an indexed Job of Kubernetes
    (first host of the step)        SLURM_NTASKS         SLURM_PROCID           srun
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

PORT = 29500
"""Where the first process listens, where nothing is said."""


class LaunchError(Exception):
    """The environment does not say what the processes of the run are."""


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """The processes of a run: ``address`` is where the first listens, ``rank`` which this is. ``local`` is its place
    among those of its machine, where each sees all the machine's devices."""

    address: str
    count: int
    rank: int
    local: int | None = None

    def local_devices(self, count: int) -> list[int] | None:
        """Numbers of the devices that belong to this process, None for all that it sees."""
        return None if self.local is None else list(range(self.local * count, (self.local + 1) * count))


def peers(environment: Mapping[str, str]) -> ProcessGroup:
    """What the environment says. Raises LaunchError."""
    has = environment.__contains__
    if has("ARCHSPEC_COORDINATOR"):
        return _made(environment, environment["ARCHSPEC_COORDINATOR"], "ARCHSPEC_PROCESSES", "ARCHSPEC_PROCESS")
    if has("COORDINATOR_ADDRESS"):
        address = _with_port(environment["COORDINATOR_ADDRESS"], environment.get("COORDINATOR_PORT"))
        return _made(environment, address, "NUM_PROCESSES", "PROCESS_ID")
    if has("MASTER_ADDR"):
        address = _with_port(environment["MASTER_ADDR"], environment.get("MASTER_PORT"))
        rank = "RANK" if has("RANK") or not has("JOB_COMPLETION_INDEX") else "JOB_COMPLETION_INDEX"
        return _made(environment, address, "WORLD_SIZE", rank, "LOCAL_RANK")
    if has("SLURM_PROCID"):
        hosts = environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_JOB_NODELIST", "")
        # Jobs that share a host need ports of their own, which all processes of a job must agree on.
        port = PORT + int(environment.get("SLURM_JOB_ID", "0")) % 2**12
        return _made(environment, f"{first_host(hosts)}:{port}", "SLURM_NTASKS", "SLURM_PROCID")
    raise LaunchError(
        "--distributed is for one of several processes, but the environment does not say which: it has none of "
        "SLURM_PROCID, MASTER_ADDR, COORDINATOR_ADDRESS, ARCHSPEC_COORDINATOR"
    )


def _made(environment: Mapping[str, str], address: str, count: str, rank: str, local: str = "") -> ProcessGroup:
    many, which = _number(environment, count), _number(environment, rank)
    if not 0 <= which < many:
        raise LaunchError(f"{rank} is {which}, which is no number below {count}, {many}")
    if not re.fullmatch(r".+:\d+", address):
        raise LaunchError(f"'{address}' is no address, of a host and a port: HOST:PORT")
    is_local = local in environment and _number(environment, "LOCAL_WORLD_SIZE", 1) > 1
    return ProcessGroup(address, many, which, _number(environment, local) if is_local else None)


def _number(environment: Mapping[str, str], name: str, usual: int | None = None) -> int:
    text = environment.get(name)
    if text is None and usual is not None:
        return usual
    if text is None or not (text.isascii() and text.isdecimal()):
        raise LaunchError(f"{name} is not set" if text is None else f"{name} is '{text}', which is no integer")
    return int(text)


def _with_port(address: str, port: str | None) -> str:
    return address if re.search(r":\d+$", address) else f"{address}:{port or PORT}"


def first_host(hosts: str) -> str:
    """The first of SLURM's list of hosts: ``a3`` of ``a[3-5,9],b``. Raises LaunchError."""
    found = re.match(r"([^,\[]+)(?:\[([0-9]+)[^\]]*\]([^,]*))?", hosts)
    if not found:
        raise LaunchError(f"SLURM names no hosts: '{hosts}'")
    return found[1] + (found[2] or "") + (found[3] or "")
