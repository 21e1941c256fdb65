"""``archspec.Run``: a run that is opened, planned, trained and used in Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from archspec.runs.directory import extend, recorded, without_data
from archspec.runs.notation import KEYWORDS, integer, one_of
from archspec.runs.request import RunRequest, changed, requested

if TYPE_CHECKING:
    import keras
    from numpy.typing import ArrayLike

    from archspec.ir.diagnostics import Diagnostic
    from archspec.ir.graph import Graph
    from archspec.runs.evaluation import Evaluation
    from archspec.runs.export import Exported
    from archspec.runs.prediction import Predictions
    from archspec.training.launch import ProcessGroup
    from archspec.training.looking import Crf, Views
    from archspec.training.outcome import Result
    from archspec.training.plan import Plan
    from archspec.training.rehearsal import Rehearsal
    from archspec.training.task import Samples


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
        """Continue a run that was stopped, from its last intact checkpoint; a finished run returns its result.
        ``epochs`` is the total number of epochs, for a run that is to have more.

        Raises as ``train``, and RunError where the checkpoint is of another run, or there is nothing left to do.
        """
        logdir, together = self._directory(), peers() if distributed else None
        plan = recorded(logdir, epochs=epochs, notation=KEYWORDS).plan(starts=True, peers=together)
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
        data: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        split: str | None = None,
        batch: int | None = None,
        best: bool = False,
        views: Views = "single",
        scales: Sequence[int] = (),
        dense: bool = False,
        crf: bool | Mapping[str, float] = False,
        results: str | os.PathLike[str] | None = None,
        tool: Literal["ultralytics"] | None = None,
    ) -> Evaluation:
        """The figures of the task's evaluators for the trained network on a split; default: the split that the run
        evaluated.

        ``data`` replaces the run's: the name of a source, a path, or ``{NAME: {argument: value}}``. With ``best`` the
        best weights are taken instead of the last. For images, ``views`` (``single``, ``flip``, ``ten_crop``),
        ``scales`` (lengths of the short side, in pixels) and ``dense`` are test-time augmentation. ``crf`` puts a fully
        connected CRF on top of classes of pixels, True or a map of its numbers (``{"iterations": 5}``). For detectors,
        ``results`` is a file for COCO results, and ``tool`` adds figures by another program's definition.

        Raises RunError, SpecError, DataError, OSError; TypeError and ValueError for arguments of another kind.
        """
        from archspec.runs.evaluation import TOOLS, evaluate
        from archspec.training.looking import NAMES, Looking

        one_of("views", views, NAMES)
        if tool is not None:
            one_of("tool", tool, TOOLS)
        if isinstance(scales, (str, int)):
            raise TypeError(f"scales must be a sequence of integers, got {scales!r}")
        looking = Looking(views, tuple(integer("scales", scale, 1) for scale in scales), dense, _crf(crf))
        batch = None if batch is None else integer("batch", batch, 1)
        return evaluate(
            [self._directory()],
            looking,
            data=data,
            split=split,
            batch=batch,
            best=best,
            results=None if results is None else Path(results),
            tool=tool,
            notation=KEYWORDS,
        )

    def predict(
        self,
        inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | ArrayLike | Mapping[str, ArrayLike],
        *,
        top: int = 5,
        best: bool = False,
        masks: str | os.PathLike[str] | None = None,
        drawings: str | os.PathLike[str] | None = None,
        score: float = 0.3,
        views: Views = "single",
        scales: Sequence[int] = (),
        dense: bool = False,
        crf: bool | Mapping[str, float] = False,
    ) -> Predictions:
        """The trained network's predictions, for examples that are prepared as the run evaluated.

        ``inputs`` are files: images, or folders of them; one video, of which each frame is an example; texts, one per
        line; or tables, one example per row. Images and rows of numbers may also be an array with a row for each
        example, in the shape and type that the run's data had before any transform (images: ``(examples, height, width,
        channels)``, of any size); for a network of several inputs, a map of such arrays by the names of the inputs.

        ``top`` is the number of classes in a record, ``masks`` a folder for PNG files of the class of each pixel,
        ``drawings`` a folder for copies of the images with the classes of pixels drawn on them, or the objects whose
        score is at least ``score``. ``views`` and ``scales`` are of ``evaluate``, for objects and classes of pixels,
        ``dense`` and ``crf`` for these.

        Raises RunError, SpecError, DataError, OSError; TypeError and ValueError for arguments of another kind.
        """
        from archspec.runs.prediction import predict
        from archspec.training.array_inputs import is_array
        from archspec.training.looking import Looking

        top = integer("top", top, 1)
        found: Any = inputs
        if not is_array(inputs):
            several = inputs if isinstance(inputs, Iterable) and not isinstance(inputs, (str, Mapping)) else [inputs]
            found = []
            for path in several:
                if not isinstance(path, (str, os.PathLike)):
                    raise TypeError(f"inputs must be paths or one array of all examples, got {type(path).__name__}")
                found.append(Path(path))
        folders = (None if folder is None else Path(folder) for folder in (masks, drawings))
        masks, drawings = folders
        return predict(
            self._directory(),
            found,
            top=top,
            best=best,
            masks=masks,
            drawings=drawings,
            least=score,
            looking=Looking(views, tuple(scales), dense, _crf(crf)),
        )

    def sample(self, count: int | None = None, *, seed: int = 0, **options: Any) -> Samples | str:
        """Draws from the trained network: ``count`` samples as an array, or a text of ``count`` tokens. The same
        ``seed`` gives the same draws.

        ``options`` are the task's: ``result``, ``label`` and ``interpolate`` for several networks and autoencoders;
        ``prompt`` and ``decoding`` for text, the latter as in a run file (``"greedy"``,
        ``{"sample": {"temperature": 0.5}}``).

        Raises RunError, SpecError, DataError, OSError; TypeError and ValueError for arguments of another kind.
        """
        from archspec.ir.diagnostics import advised
        from archspec.runs.sampling import SampleSource, checked_options
        from archspec.training.errors import RunError, TaskError

        count = None if count is None else integer("count", count, 1)
        seed = integer("seed", seed, 0)
        try:
            source = SampleSource.of(self._request, self._directory())
            return source.drawing(None, count, seed, checked_options(source.task, options), KEYWORDS).draw()
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
        ``keras``, ``saved_model``); SpecError, OSError; ValueError for another form.
        """
        from archspec.runs.export import FORMATS, export

        if form is not None:
            one_of("form", form, FORMATS)
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


def _crf(given: bool | Mapping[str, float]) -> Crf | None:
    """What ``crf`` asks for. Raises TypeError, ValueError."""
    from archspec.training.looking import Crf

    if isinstance(given, bool):
        return Crf() if given else None
    if not isinstance(given, Mapping):
        raise TypeError(f"crf must be True, False or a map of numbers, got {given!r}")
    try:
        return Crf.of(given)
    except (TypeError, ValueError) as error:
        raise type(error)(f"crf: {error}") from None


def peers(environment: Mapping[str, str] = os.environ) -> ProcessGroup:
    """The processes of the run, as the environment says. Raises SpecError."""
    from archspec.ir.diagnostics import Diagnostic, SpecError, typed
    from archspec.training.launch import LaunchError, peers

    try:
        return peers(environment)
    except LaunchError as error:
        raise SpecError([Diagnostic("R05", str(error), typed("", "--distributed"))]) from None
