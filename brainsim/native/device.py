"""The device: Brian2's objects with their arrays in this process and their code compiled.

Arrays are numpy arrays from the moment they are created, as with Brian2's runtime device, which this one extends:
values are read and written at any time, connections are made at once, objects can be added between runs. Only what
happens inside a run is compiled: see codeobject.py (a function for each code object), unit.py (one source for a
network), build.py (a library from it, once), session.py (what steps it), network.py (the run loop).
"""

from __future__ import annotations

import contextlib
import copy
import ctypes
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

import numpy as np
from brian2.codegen.codeobject import check_compiler_kwds
from brian2.codegen.runtime.numpy_rt import NumpyCodeObject
from brian2.core.functions import Function
from brian2.core.namespace import get_local_namespace
from brian2.core.network import Network
from brian2.core.preferences import prefs
from brian2.core.variables import ArrayVariable, DynamicArrayVariable
from brian2.devices.device import RuntimeDevice, all_devices
from brian2.synapses.synapses import Synapses
from brian2.units import Quantity, second
from brian2.units.fundamentalunits import fail_for_dimension_mismatch
from brian2.utils.logger import get_logger

from brainsim.native import functions, layout, network, wiring
from brainsim.native.arrays import FixedArray, GrowingArray, zeros
from brainsim.native.codeobject import NativeCodeObject
from brainsim.native.queues import SpikeQueue
from brainsim.native.replicas import Replica, Replicas
from brainsim.native.rewrites import Draft, chosen, counts, delivery, ordered, traces
from brainsim.native.session import Session, Step
from brainsim.native.threads import bounds_of_targets
from brainsim.native.threads import chosen as how_many

logger = get_logger(__name__)

#: Code that runs once, outside of runs, and is Brian2's own numpy code.
_AT_ONCE = ("synapses_create_array", "synapses_create_generator")
_COMPILER_KEYWORDS = ["headers", "sources", "define_macros", "libraries", "include_dirs", "library_dirs"]


class NativeDevice(RuntimeDevice):
    """Compiled networks in this process."""

    def __init__(self) -> None:
        super().__init__()
        self._fixed: WeakKeyDictionary[ArrayVariable, FixedArray] = WeakKeyDictionary()
        #: The rewrites that may be used, see rewrites/.
        self.rewrites = chosen()
        #: Those that share the tasks of a time step, see threads.py.
        self.threads = how_many()
        #: What is noted while a code object is being made: the names of its arrays, the rewrites taken.
        self.draft: Draft | None = None
        #: The state of the random numbers drawn in runs (numpy's generator serves everything else).
        self.random = random_stream(None)
        #: What rewrites may not do in the network that is being prepared: see traces.py and ordered.py.
        self.no_traces: dict[ArrayVariable, str] = {}
        self.not_ordered: set[ArrayVariable] = set()
        self.copies: dict[ArrayVariable, ordered.Copy] = {}  # that code writes, too
        #: Who is told before Python reads or writes a variable.
        self._watchers: WeakKeyDictionary[ArrayVariable, WeakSet[Any]] = WeakKeyDictionary()
        self.exposed: WeakSet[ArrayVariable] = WeakSet()  # what may be written without our knowing
        self._as_stored = False
        self._session: Session | None = None  # the one made last
        self._sessions: WeakValueDictionary[str, Session] = WeakValueDictionary()

    def activate(
        self,
        build_on_run: bool = True,
        rewrites: str | Mapping[str, bool] | None = None,
        threads: int | None = None,
        **kwds: Any,
    ) -> None:
        super().activate(build_on_run, **kwds)
        self.rewrites = chosen(rewrites)
        self.threads = how_many(threads)

    def forget(self, net: Network) -> None:
        """Put all values of a network's synapses where Brian2 has them, for code that is made anew."""
        for obj in net.sorted_objects:
            if isinstance(obj, Synapses):
                vars(obj.variables).pop("native_traces", None)
                for variable in obj.variables.values():
                    for watcher in self._watchers.pop(variable, ()):
                        watcher.touched()

    def reinit(self) -> None:
        super().reinit()
        self._session = None

    # --- arrays -----------------------------------------------------------------------------------------------------

    def add_array(self, var: ArrayVariable) -> None:
        if isinstance(var, DynamicArrayVariable):
            self.arrays[var] = GrowingArray(var.size, var.dtype)
        else:
            shared = FixedArray(zeros(var.size, var.dtype))
            self._fixed[var] = shared
            self.arrays[var] = shared.array

    def get_value(self, var: ArrayVariable, access_data: bool = True) -> Any:
        for watcher in self._watchers.get(var, ()):  # rewrites that keep its values elsewhere
            watcher.touched()
        array = self.arrays[var]
        if isinstance(var, DynamicArrayVariable):
            self.refresh_size(var)
            if self._as_stored or not access_data:
                return array
            return array.copied() if var.read_only else array.data
        return array

    def refresh_size(self, var: DynamicArrayVariable) -> None:
        """Let a variable know how far its array has grown."""
        array = self.arrays[var]
        var.size = array.shape if var.ndim > 1 else len(array)

    @contextlib.contextmanager
    def as_stored(self) -> Iterator[None]:
        """Let Brian2 hand our own code arrays that grow as they are, which may be packed."""
        self._as_stored = True
        try:
            yield
        finally:
            self._as_stored = False

    def fill_with_array(self, var: ArrayVariable, arr: np.ndarray) -> None:
        array = self.get_value(var, access_data=False)  # other variables may have to be brought up to date first
        if var.constant and isinstance(var, DynamicArrayVariable) and np.shape(arr) == array.shape:
            array.fill(np.asarray(arr))
        else:
            super().fill_with_array(var, arr)

    def synapses_connect(
        self, synapses: Synapses, condition: Any = None, i: Any = None, j: Any = None, *args: Any, **kwds: Any
    ) -> None:
        """``Synapses.connect``: large arrays of pairs are stored at once, without Brian2's copies of them."""
        plain = condition is None and not args and not set(kwds) - {"namespace", "level"}
        if plain and wiring.connect(self, synapses, i, j):
            return
        kwds["level"] = kwds.get("level", 0) + 1
        Synapses.connect.original_function(synapses, condition, i, j, *args, **kwds)

    def _watch(self, variable: ArrayVariable, watcher: Any) -> None:
        self._watchers.setdefault(variable, WeakSet()).add(watcher)

    def resize(self, var: DynamicArrayVariable, new_size: Any) -> None:
        self.get_value(var, access_data=False)  # new synapses have values of their own
        super().resize(var, new_size)

    def shared_array(self, var: ArrayVariable) -> FixedArray | GrowingArray:
        """The array behind a variable, as generated code needs it."""
        if var not in self.arrays:
            owner = getattr(var.owner, "name", "an unnamed object")
            raise RuntimeError(
                f"'{owner}' was created before the native device was chosen: call set_device('native') first, "
                "then create the objects of the model."
            )
        return self.arrays[var] if isinstance(var, DynamicArrayVariable) else self._fixed[var]

    def get_array_name(self, var: ArrayVariable, access_data: bool = True) -> str:
        if self.draft is None:
            return super().get_array_name(var, access_data)
        names = self.draft.names
        name = names.setdefault(var, f"_array_{len(names)}_{var.name}")
        return f"_dynamic{name}" if isinstance(var, DynamicArrayVariable) and not access_data else name

    def array(self, owner: Any, name: str) -> np.ndarray:
        """The memory of ``owner.name`` as a numpy array without units: what closed loops read and write."""
        variable = owner.variables[name]
        self.exposed.add(variable)
        return variable.get_value()

    def spike_queue(self, source_start: int, source_end: int) -> SpikeQueue:
        return SpikeQueue(source_start, source_end)

    # --- random numbers ---------------------------------------------------------------------------------------------

    def seed(self, seed: int | None = None) -> None:
        np.random.seed(seed)
        ctypes.memmove(ctypes.byref(self.random), ctypes.byref(random_stream(seed)), ctypes.sizeof(layout.Random))

    def get_random_state(self) -> dict[str, Any]:
        own = {name: bytes(session.random) for name, session in self._sessions.items()}
        return {"numpy_state": np.random.get_state(), "native_state": bytes(self.random), "native_own": own}

    def set_random_state(self, state: dict[str, Any]) -> None:
        np.random.set_state(state["numpy_state"])
        for name, session in self._sessions.items():
            if name in state["native_own"]:
                ctypes.memmove(ctypes.byref(session.random), state["native_own"][name], ctypes.sizeof(layout.Random))
        ctypes.memmove(ctypes.byref(self.random), state["native_state"], ctypes.sizeof(layout.Random))

    # --- code -------------------------------------------------------------------------------------------------------

    def code_object_class(self, codeobj_class: Any = None, fallback_pref: str = "codegen.target") -> Any:
        if codeobj_class is None and fallback_pref == "codegen.target":
            return NativeCodeObject
        if codeobj_class is not None and "GSL" in codeobj_class.__name__:
            raise NotImplementedError(
                "The native device has no GSL integrators: choose another method for the equations, or another device."
            )
        return super().code_object_class(codeobj_class, fallback_pref)

    def code_object(
        self,
        owner: Any,
        name: str,
        abstract_code: Any,
        variables: dict[str, Any],
        template_name: str,
        variable_indices: Any,
        codeobj_class: Any = None,
        template_kwds: dict[str, Any] | None = None,
        override_conditional_write: Any = None,
        compiler_kwds: dict[str, Any] | None = None,
        no_release: str | None = None,
    ) -> Any:
        chosen = self.code_object_class(codeobj_class)
        if chosen is NativeCodeObject and template_name in _AT_ONCE:
            chosen = NumpyCodeObject
            _add_numpy_implementations(variables)
        if chosen is not NativeCodeObject:
            kwds = {} if chosen is NumpyCodeObject else compiler_kwds
            return super().code_object(
                owner, name, abstract_code, variables, template_name, variable_indices, chosen, template_kwds,
                override_conditional_write, kwds,
            )  # fmt: skip
        keywords = compiler_kwds or {}
        check_compiler_kwds(keywords, [*_COMPILER_KEYWORDS, "runtime_library_dirs"], "native")
        draft = Draft(self.rewrites, no_release=no_release)
        copies: list[Any] = []
        if template_name == "synapses":
            pathway = next(way for way in owner._pathways if way.queue is variables["_queue"])
            delivery.look_at(pathway, bounds_of_targets(pathway))
            variables, variable_indices = dict(variables), copy.copy(variable_indices)
            if owner.event_driven is not None:
                abstract_code, variables, variable_indices = self._with_traces(
                    draft, owner, pathway, abstract_code, variables, variable_indices
                )
            abstract_code = dict(abstract_code)
            even = counts.look_at(self, pathway, abstract_code, variables, variable_indices)
            copies = ordered.rewrite(self, pathway, abstract_code, variables, variable_indices)
            if copies:
                draft.notes[ordered.NAME] = None
            copies = [*even, *copies]
        self.draft = draft
        try:
            codeobject = super().code_object(
                owner, name, abstract_code, variables, template_name, variable_indices, chosen, template_kwds,
                override_conditional_write, keywords,
            )  # fmt: skip
        finally:
            self.draft = None
        codeobject.copies = copies
        for its in copies:
            self._watch(its.original, its)
        codeobject.headers = [*prefs["codegen.cpp.headers"], *keywords.get("headers", [])]
        codeobject.abstract_code, codeobject.template_kwds = abstract_code, dict(template_kwds or {})
        codeobject.event_variable = (template_kwds or {}).get("eventspace_variable")
        return codeobject

    def _with_traces(
        self, draft: Draft, owner: Any, pathway: Any, code: Any, variables: Any, indices: Any
    ) -> tuple[Any, Any, Any]:
        """A pathway's code with variables that cells keep, where that is legal."""
        if traces.NAME not in self.rewrites:
            draft.notes[traces.NAME] = "switched off"
            return code, variables, indices
        kept = vars(owner.variables).get("native_traces")
        if kept is None:
            kept = owner.variables.native_traces = traces.Traces(owner, self)
            kept.prepare(variables)
            for variable in kept.hidden():
                self._watch(variable, kept)
        draft.notes.update({f"{traces.NAME} of {name}": reason for name, reason in kept.reasons.items()})
        if not kept.side:
            return code, variables, indices
        draft.notes[traces.NAME] = None
        draft.kept = frozenset(kept.side)
        return kept.rewrite(pathway, variables, indices)

    def call(self, codeobject: NativeCodeObject) -> None:
        """Run a code object once, outside of a run."""
        Session(self, None, [Step(codeobject.owner, codeobject)], []).call()

    # --- runs -------------------------------------------------------------------------------------------------------

    def check_supported(self, net: Network) -> None:
        """Refuse what cannot run here, with the reason."""
        from brian2.spatialneuron.spatialneuron import SpatialNeuron

        for obj in net.sorted_objects:
            if isinstance(obj, SpatialNeuron):
                raise NotImplementedError(
                    f"'{obj.name}' has several compartments, which the native device cannot run: "
                    "use the runtime or the cpp_standalone device."
                )

    def network_run(
        self,
        net: Network,
        duration: Quantity,
        report: Any = None,
        report_period: Quantity = 10 * second,
        namespace: dict[str, Any] | None = None,
        profile: bool | None = None,
        level: int = 0,
    ) -> None:
        fail_for_dimension_mismatch(duration, second, "Function 'run' expects a duration in seconds")
        if duration < 0:
            raise ValueError(f"Function 'run' expected a non-negative duration but got '{duration}'")
        if profile is None:
            profile = bool((self.build_options or {}).get("profile", False))
        if namespace is None:
            namespace = get_local_namespace(level=level + 2)
        self._note(net, network.run(self, net, duration, report, float(report_period), namespace, profile))

    def _note(self, net: Network, session: Session | None) -> None:
        self._session = session
        if session is not None:
            before = self._sessions.get(net.id)
            if before is not None:
                before.rest()
            self._sessions[net.id] = session

    def network_restore(self, net: Network, *args: Any, **kwds: Any) -> None:
        Network.restore.original_function(net, *args, **kwds)
        session = self._sessions.get(net.id)
        if session is not None:
            session.refresh_clocks()

    def prepare(
        self, net: Network, namespace: dict[str, Any] | None = None, seed: int | None = None, level: int = 0
    ) -> Session:
        """Make a network ready for :meth:`step`, without running it. Returns what steps it.

        With ``seed``, the network draws from a stream of random numbers of its own. Networks that are stepped in
        several threads at once need that; all others share the device's stream.
        """
        if namespace is None:
            namespace = get_local_namespace(level=level + 1)
        session = network.prepare(self, net, net.t, namespace, None if seed is None else random_stream(seed))
        self._note(net, session)
        return session

    def replicas(
        self, net: Network, seeds: Iterable[int], namespace: dict[str, Any] | None = None, level: int = 0
    ) -> Replicas:
        """Several runs of a network from where it is, each with a state and random numbers of its own.

        They are stepped on all cores at once, and none waits for another. Connections, delays, and values of synapses
        that no compiled code writes (weights that do not change) are there once for all. Each is, bit for bit, what
        ``prepare(net, seed=...)`` would have stepped.

        Parameters
        ----------
        net
            The network; its own state stays as it is.
        seeds
            A seed for each replica.

        Raises
        ------
        NotImplementedError
            Something in the network is run by Python.
        """
        if namespace is None:
            namespace = get_local_namespace(level=level + 1)
        session = self.prepare(net, namespace)
        return Replicas([Replica(session, random_stream(seed)) for seed in seeds])

    def step(self, count: int = 1) -> None:
        """Do ``count`` time steps of the network that was run or prepared last."""
        if self._session is None:
            raise RuntimeError("There is nothing to step: run or prepare a network first.")
        self._session.step(count)

    def explain(self) -> str:
        """What runs in which slot of a time step, for the network that was run or prepared last."""
        if self._session is None:
            return "Nothing was run or prepared yet."
        return self._session.explain()


def _add_numpy_implementations(variables: dict[str, Any]) -> None:
    for function in variables.values():
        if isinstance(function, Function):
            try:
                function.implementations[NumpyCodeObject]
            except KeyError:
                function.implementations.add_numpy_implementation(function.pyfunc)


def random_stream(seed: int | None) -> layout.Random:
    """The start of a stream of random numbers (another one than numpy's from the same seed)."""
    entropy = int.from_bytes(os.urandom(16), "little") if seed is None else [int(seed) % 2**64, 0x6272]
    stream = layout.Random()
    stream.key = int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])
    return stream


functions.register()
native_device = NativeDevice()
all_devices["native"] = native_device
