"""``archspec.Run``: a run that is opened, planned, trained and used in Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from archspec.runs.directory import extend, recorded, without_data
from archspec.runs.request import RunRequest, changed, requested

if TYPE_CHECKING:
    import keras

    from archspec.ir.diagnostics import Diagnostic
    from archspec.ir.graph import Graph
    from archspec.runs.evaluation import Evaluation
    from archspec.runs.export import Exported
    from archspec.runs.prediction import Predictions
    from archspec.training.launch import ProcessGroup
    from archspec.training.outcome import Result
    from archspec.training.plan import Plan
    from archspec.training.rehearsal import Rehearsal
    from archspec.training.task import Samples
    from archspec.training.views import Views


class Run:
    """A network with data and settings: what the command line trains, evaluates and exports.

    ``name`` is what the run is called. ``logdir`` is its directory, once it has one; from then on the run is what that
    says.
    """

    def __init__(self, request: RunRequest, logdir: Path | None = None):
        """Runs are made by ``open``."""
        self._request, self.logdir = request, logdir
        self._plan: Plan | None = None

    @classmethod
    def open(cls, what: str | os.PathLike[str], /, **changes: Any) -> Run:
        """A run file, a spec, or a run directory, by its path; a run file or spec of the catalogue by its name.

        ``changes`` are keys of the run file, or of its ``train`` section, with values as they are written there, or
        declarations: ``data="digits"``, ``epochs=5``, ``optimizer={"sgd": 0.1}``, ``set={"classes": 10}``. A run
        directory takes none: it says what it was.

        Raises SpecError for what is wrong with the file or a change, OSError for a file that is not there or cannot be
        read, TypeError for changes of a run directory.
        """
        path = Path(what)
        if (path / "run.yaml").is_file():
            if changes:
                raise TypeError(f"{path} is a run directory, which takes no changes, got {', '.join(changes)}")
            return cls(without_data(path), path)
        return cls(changed(requested(os.fspath(what)), changes))

    @property
    def name(self) -> str:
        """What the run is called."""
        if self.logdir is None:
            return self._request.name
        from archspec.training.record import recorded_name

        return recorded_name(self.logdir)

    def __repr__(self) -> str:
        where = f" in {self.logdir}" if self.logdir else ""
        return f"<archspec.Run {self.name} of {self._request.spec}{where}>"

    @property
    def graph(self) -> Graph:
        """The network's graph, with the heads that only training needs. Raises SpecError."""
        return self._request.graph()

    def plan(self, *, distributed: bool = False) -> Plan:
        """Everything that is known of the run before TensorFlow is imported; ``distributed`` is as in ``train``.

        Raises SpecError, with the place of what cannot work.
        """
        if self._plan is None:
            found = self._request if self.logdir is None else recorded(self.logdir)
            self._plan = found.plan(starts=True, peers=peers() if distributed else None)
        return self._plan

    def warnings(self) -> list[Diagnostic]:
        """What can be done and is hardly meant. Raises SpecError."""
        return self._request.doubts(self._plan or self.plan())

    def spec_warnings(self) -> str | None:
        """A line that says that 'check' has warnings about the run's spec; None where it has none."""
        return self._request.spec_doubts()

    @property
    def has_checkpoints(self) -> bool:
        """Whether there is something to go on from."""
        return self.logdir is not None and (self.logdir / "checkpoints").is_dir()

    def train(
        self,
        logdir: str | os.PathLike[str] | None = None,
        *,
        progress: TextIO | None = sys.stderr,
        distributed: bool = False,
    ) -> Result:
        """Train, evaluate and save into a new run directory; default: ``runs/NAME/1``, ``2``, …

        ``progress`` is where lines for a person go, None for nowhere. With ``distributed`` this is one of several
        processes, which the environment tells of each other.

        Raises SpecError; RunError where the directory holds a run, devices are missing, or the loss is NaN; Interrupted
        where the run was asked to stop; DataError, OSError.
        """
        plan = self.plan(distributed=distributed)
        together = peers() if distributed else None
        path = self.new_logdir(logdir, is_first=not (together and together.rank))
        return self._trained(plan, path, False, progress, together)

    def new_logdir(self, logdir: str | os.PathLike[str] | None = None, *, is_first: bool = True) -> Path:
        """Where ``train`` would write. Raises RunError where a run is there, unless another process began it."""
        from archspec.training.errors import Misused
        from archspec.training.run import new_logdir

        path = self.logdir or (Path(logdir) if logdir is not None else new_logdir(Path("runs"), self.name))
        if (path / "run.yaml").exists() and is_first:
            raise Misused(f"{path} holds a run already; 'archspec resume {path}' goes on with it")
        return path

    def resume(
        self, *, epochs: int | None = None, progress: TextIO | None = sys.stderr, distributed: bool = False
    ) -> Result:
        """Go on with a run that was stopped, from its last checkpoint that is whole; ``epochs`` are those in all, for a
        run that is to have more.

        Raises as ``train``, and RunError where the checkpoint is of another run, or there is nothing left to do.
        """
        logdir, together = self._directory(), peers() if distributed else None
        plan = recorded(logdir, epochs=epochs).plan(starts=True, peers=together)
        if epochs is not None and not (together and together.rank):
            extend(plan, logdir)
            if progress:
                schedule = plan.train.schedule.name
                text = f"the run has {epochs} epochs from now on; the schedule '{schedule}' spans them all"
                print(f"archspec: {text}", file=progress)
        return self._trained(plan, logdir, True, progress, together)

    def rehearse(self, *, progress: TextIO | None = sys.stderr) -> Rehearsal:
        """Build the network, train on one batch and evaluate one; write nothing. Raises as ``train``."""
        from archspec.backend.installation import quiet_start
        from archspec.training.rehearsal import rehearse

        plan = self.plan()
        quiet_start()
        return rehearse(plan, lambda text: print(f"archspec: {text}", file=progress) if progress else None)

    def evaluate(
        self,
        *,
        data: str | None = None,
        split: str | None = None,
        batch: int | None = None,
        best: bool = False,
        views: Views = "single",
        scales: Sequence[int] = (),
        dense: bool = False,
    ) -> Evaluation:
        """What the task's evaluators say of the trained network on a split: by default the one that the run evaluated.

        ``data`` are others than the run's, by a source's name or a path; with ``best`` the best weights are taken
        instead of the last. Of images ``views`` (``single``, ``flip``, ``ten_crop``), ``scales`` (lengths of the short
        side, in pixels) and ``dense`` say how they are looked at (test-time augmentation).

        Raises RunError, SpecError, DataError, OSError.
        """
        from archspec.runs.evaluation import evaluate
        from archspec.training.evaluation import Looking

        looking = Looking(views, tuple(scales), dense)
        return evaluate([self._directory()], looking, data=data, split=split, batch=batch, best=best)

    def predict(
        self,
        files: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        top: int = 5,
        best: bool = False,
        masks: str | os.PathLike[str] | None = None,
        drawings: str | os.PathLike[str] | None = None,
    ) -> Predictions:
        """What the trained network says of image files, of every line of text files where it reads text, or of every
        row of tables where it reads numbers or has several inputs; ``top`` is how many classes are named, ``masks`` a
        folder for PNG files of the class of each pixel, ``drawings`` one for copies of the images with what was found
        drawn on them. Raises RunError, SpecError, DataError, OSError."""
        from archspec.runs.prediction import predict

        paths = [files] if isinstance(files, (str, os.PathLike)) else files
        return predict(
            self._directory(),
            [Path(path) for path in paths],
            top=top,
            best=best,
            masks=None if masks is None else Path(masks),
            drawings=None if drawings is None else Path(drawings),
        )

    def sample(self, count: int | None = None, *, seed: int = 0, **options: Any) -> Samples | str:
        """Draws from the trained network: so many samples as an array, or text of so many tokens; equal where ``seed``
        is. ``options`` are the task's: ``result`` and ``label`` of several networks, ``prompt`` and ``decoding`` of
        text. Raises RunError, SpecError, DataError, OSError."""
        from archspec.ir.diagnostics import advised
        from archspec.runs.sampling import SampleSource
        from archspec.training.errors import RunError, TaskError

        try:
            return SampleSource.of(self._request, self._directory()).drawing(None, count, seed, options).draw()
        except TaskError as error:
            raise RunError(advised(error.message, error.help)) from None

    def model(self, *, best: bool = False) -> keras.Model:
        """The trained inference network, with the last weights or the best. Raises RunError, SpecError, OSError."""
        from archspec.backend.installation import quiet_start
        from archspec.training.trained import trained, weights_file

        path = weights_file(self._directory(), best=best)
        graph = self.graph
        quiet_start()
        return trained(graph, path)

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        form: str | None = None,
        best: bool = False,
        with_preprocessing: bool = False,
    ) -> Exported:
        """Write the trained network for other programs: NAME.onnx, NAME.tflite, NAME.keras, or a folder for a
        SavedModel; of images, what is done to them before it beside.

        Raises RunError where there is no trained network, or a name does not fit ``form`` (``onnx``, ``litert``,
        ``keras``, ``saved_model``); SpecError, OSError.
        """
        from archspec.runs.export import export

        return export(self._directory(), Path(path), form=form, best=best, with_preprocessing=with_preprocessing)

    def _directory(self) -> Path:
        from archspec.training.errors import NotTrained

        if self.logdir is None:
            raise NotTrained(f"the run '{self.name}' has no directory yet: train comes first")
        return self.logdir

    def _trained(
        self, plan: Plan, logdir: Path, resume: bool, progress: TextIO | None, together: ProcessGroup | None
    ) -> Result:
        from archspec.backend.installation import quiet_start
        from archspec.training.run import run

        if together is None or together.rank == 0:
            logdir.mkdir(parents=True, exist_ok=True)
        # What is begun is what its directory says, however this ends.
        before, self.logdir, self._plan = self.logdir, logdir, None
        quiet_start()
        try:
            return run(plan, logdir, resume=resume, progress=progress, peers=together)
        finally:
            if (logdir / "run.yaml").is_file():
                self._request = without_data(logdir)
            else:
                self.logdir = before


def peers(environment: Mapping[str, str] = os.environ) -> ProcessGroup:
    """The processes of the run, as the environment says. Raises SpecError."""
    from archspec.ir.diagnostics import Diagnostic, SpecError, typed
    from archspec.training.launch import LaunchError, peers

    try:
        return peers(environment)
    except LaunchError as error:
        raise SpecError([Diagnostic("R05", str(error), typed("", "--distributed"))]) from None
