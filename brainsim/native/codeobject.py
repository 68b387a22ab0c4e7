"""Code objects: Brian2's abstract code as C++ functions that know nothing of the network they are used in.

The text of a function names arrays by their place in the code object, takes sizes from the arrays and numbers from a
table. So two groups with the same equations share one function, and a parameter with another value, another number of
neurons or another name of a group does not change the text (nor, therefore, cause a compilation).
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import Any

import numpy as np
from brian2.codegen.codeobject import CodeObject, constant_or_scalar
from brian2.codegen.generators.cpp_generator import CPPCodeGenerator, c_data_type
from brian2.codegen.templates import Templater
from brian2.core.functions import DEFAULT_FUNCTIONS, Function
from brian2.core.preferences import prefs
from brian2.core.variables import ArrayVariable, Constant
from brian2.devices.device import get_device
from brian2.input.binomial import BinomialFunction

from brainsim.native import threads
from brainsim.native.arrays import FixedArray, GrowingArray
from brainsim.native.marks import MARKED
from brainsim.native.rewrites import delivery, rewritten

_NUMBERED = re.compile(r"^_?(timedarray|binomial|poissoninput_binomial)(_\d+)?$")
_NUMBER = r"(?<![\w.])(?:\d+\.\d*(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)(?![\w.])"
#: A pointer without an alias, as Brian2 declares it.
_POINTER = re.compile(r"^ *\w+ ?\*\s*(?:__restrict)?\s+(_ptr_\w+) = \w+;\n", re.M)
_LITERAL = re.compile(_NUMBER)
_REFRACTORY = re.compile(rf"\b_timestep\(\s*({_NUMBER})(?=\s*,\s*dt\))")


#: Templates that write nothing but what statements write.
_WRITES_NO_MORE = ("stateupdate", "reset", "synapses", "synapses_push_spikes")


class NativeCodeGenerator(CPPCodeGenerator):
    """Brian2's C++ statements, with what they need of the outside made private to a thread."""

    universal_support_code = ""  # once for all functions: see unit.py
    reader: delivery.Reader | None = None  # how indices of synapses are read
    draft: Any = None  # what is noted while the code is made
    _draws = 0  # places in the text that draw a random number

    def _add_user_function(self, varname: str, variable: Function, added: set) -> Any:
        parts = super()._add_user_function(varname, variable, added)
        if parts is None:
            return None
        defines, pointers, support, functions = parts
        # Arrays used by functions are reached through a variable that is set whenever a code object starts.
        support = [re.sub(r"^static (?=\S+\* _namespace\w+;$)", "static thread_local ", text) for text in support]
        return defines, pointers, support, functions

    def prefers_floats(self) -> bool:
        """Whether most numbers have 32 bits."""
        return np.dtype(prefs["core.default_float_dtype"]) == np.float32

    def translate_statement(self, statement: Any) -> str:
        """As Brian2 does; each place that draws a random number gets its own (the same in all branches)."""
        lines, most = [], 0
        for line in super().translate_statement(statement).split("\n"):
            places = itertools.count(self._draws)
            line, found = self._drawing.subn(lambda match: f"{match[1]}, {next(places)})", line)  # noqa: B023
            lines.append(line)
            most = max(most, found)
        self._draws += most
        return "\n".join(lines)

    @property
    def _drawing(self) -> re.Pattern[str]:
        names = ["_rand", "_randn"]
        names += [name for name, function in self.variables.items() if isinstance(function, BinomialFunction)]
        alike = rf"(?:{'|'.join(map(re.escape, names))})\(_vectorisation_idx"
        # Poisson numbers whose mean is the same for all elements, see below.
        return re.compile(rf"\b({alike}|_poisson\((?:_lio_\w+|{_NUMBER}), _vectorisation_idx)\)")

    def has_repeated_indices(self, statements: list[Any]) -> bool:
        """As Brian2 says; but what is done once for a spike (see rewrites/traces.py) repeats nothing."""
        names = {statement.var for statement in statements}
        written = {name for name in names if isinstance(self.variables.get(name), ArrayVariable)}
        return not written <= get_device().draft.kept and super().has_repeated_indices(statements)

    def translate_to_read_arrays(self, read: set[str], write: set[str], indices: set[str]) -> list[str]:
        if self.reader is not None and self.reader.used and indices:
            return self.reader.lines(read, write, indices)
        return super().translate_to_read_arrays(read, write, indices)

    def translate_statement_sequence(self, scalar: dict[str, Any], vector: dict[str, Any]) -> Any:
        draft = self.draft = get_device().draft
        self.reader = delivery.Reader(self, draft.rewrites, vector) if self.template_name == "synapses" else None
        scalar_code, vector_code, keywords = super().translate_statement_sequence(scalar, vector)
        self._draws = 0
        for block in [*scalar.values(), *vector.values()]:
            draft.written.update(self.variables[name] for name in self.arrays_helper(block)[1])
        keywords["rewritten"] = rewritten(self, scalar, vector, draft)
        draft.access = threads.access(self, scalar, vector)
        if "spike" in scalar_code:
            stores = self.translate_to_write_arrays(self.arrays_helper(vector["spike"])[1])
            vector_code["spike"] = [f"if (part.count <= 1) {line}" if line in stores else line
                                    for line in vector_code["spike"]]  # fmt: skip
            _apart(scalar_code, vector_code)
        return scalar_code, vector_code, keywords


def _apart(scalar_code: dict[str, list[str]], vector_code: dict[str, list[str]]) -> None:
    """What is done once for a spike and what for each synapse stand in one function: no name is declared twice."""
    for code in (scalar_code, vector_code):
        code["spike"] = [re.sub(r"\b_lio_(?=\d)", "_lio_spike_", line) for line in code["spike"]]
    scalar_code["synapse"] = [line for line in scalar_code["synapse"] if line not in scalar_code["spike"]]


def _without_idle_pointers(code: str) -> str:
    """Text without the pointers that Brian2 declares and nothing uses: their arrays may stay packed."""
    words = Counter(re.findall(r"\b_ptr_\w+", code))
    return _POINTER.sub(lambda line: "" if words[line[1]] == 1 else line[0], code)


class NativeCodeObject(CodeObject):
    """One C++ function and what it works on."""

    templater = Templater(
        "brainsim.native", ".cpp", env_globals={"c_data_type": c_data_type, "constant_or_scalar": constant_or_scalar}
    )
    generator_class = NativeCodeGenerator
    class_name = "native"

    def __init__(self, owner: Any, code: str, *args: Any, **kwds: Any) -> None:
        super().__init__(owner, code, *args, **kwds)
        #: What the function works on, in the order of its tables.
        self.arrays: list[FixedArray | GrowingArray] = []
        self.reals: list[float] = []
        self.integers: list[int] = []
        self.queue = self.variables.get("_queue")
        self.headers: list[str] = []
        self.private: list[FixedArray] = []  # of these, what is no variable's: each network has its own
        self.abstract_code: dict[Any, str] = {}
        self.template_kwds: dict[str, Any] = {}
        self.copies: list[Any] = []  # that it uses, see rewrites/ordered.py
        self.event_variable: Any = None  # the list of events that a thresholder writes
        self.device = get_device()
        #: The variables whose arrays it works on.
        self.used = set(self.device.draft.names)
        #: The variables that its statements write, and those that the template may write besides.
        self.written = self.device.draft.written
        self.may_write = {
            variable
            for variable in self.used
            if variable in self.written
            or not (self.template_name in _WRITES_NO_MORE or (variable.read_only and variable.constant))
        }
        #: What it reaches, if threads can share it; else the reason why not.
        self.access = self.device.draft.access
        #: Which rewrites were taken, and of the others why not.
        self.rewrites = self.device.draft.notes
        #: The text of the function.
        self.text = _without_idle_pointers(self._without_values(self._without_numbered_names(code)))
        self.text = self.text.replace("%BINDINGS%", "\n    ".join(self._bindings(self.text)))

    @classmethod
    def is_available(cls) -> bool:
        from brainsim.native.build import BuildError, find_compiler

        try:
            find_compiler()
        except BuildError:
            return False
        return True

    def _without_numbered_names(self, code: str) -> str:
        """Functions whose names Brian2 has numbered through are numbered within the code object."""
        self._renamed: dict[str, str] = {}
        for variable in self.variables.values():
            name = getattr(variable, "name", None)
            if isinstance(variable, Function) and isinstance(name, str) and _NUMBERED.match(name):
                self._renamed[name] = f"_function_{len(self._renamed)}"
        for name, new in self._renamed.items():
            code = re.sub(rf"{name}(?!\d)", new, code)
        return code

    def _without_values(self, code: str) -> str:
        """Numbers marked by functions.py, refractory periods and the weights of PoissonInput go to the table."""
        code = _REFRACTORY.sub(lambda match: f"_timestep(@real({match[1]})@", code)
        if any(isinstance(variable, BinomialFunction) for variable in self.variables.values()):
            head, run, body = code.partition("static void run(")
            code = head + run + _LITERAL.sub(lambda match: f"@real({match[0]})@", body)

        def entry(match: re.Match[str]) -> str:
            self.reals.append(float(match[1]))
            return f"_reals[{len(self.reals) - 1}]"

        return MARKED.sub(entry, code)

    def _bindings(self, code: str) -> list[str]:
        """C++ lines that fetch arrays and numbers; notes what they are."""
        used = set(re.findall(r"[A-Za-z_]\w*", code))
        lines = ["_reals = task.reals;"] if "_reals[" in code else []
        self.draws = "native::Draws" in code
        if self.draws:
            lines.append("native::Draws* const _draws = native::draws_here();")
            lines.append("_draws->begin(*network.random, task.stream);")
        if "_recent" in used:  # see release in vectors.hpp: 64 bytes, and 4 for each cell
            self.private.append(FixedArray(np.zeros(9 + self.variables["N"].item() // 2, np.int64)))
            slot = self._slot(self.private[-1])
            lines.append(f"native::Recent* const _recent = static_cast<native::Recent*>({slot}.data);")
        for variable, name in self.device.draft.names.items():
            keys = [key for key, other in self.variables.items() if other is variable and f"_num{key}" in used]
            if not (keys or name in used or f"_dynamic{name}" in used):
                continue
            slot = self._slot(self.device.shared_array(variable))
            kind = c_data_type(variable.dtype)
            if name in used:
                lines.append(f"{kind}* const {name} = static_cast<{kind}*>({slot}.data);")
            if f"_dynamic{name}" in used:
                lines.append(f"Slot& _dynamic{name} = {slot};")
            lines += [f"const size_t _num{key} = size_t({slot}.size * {slot}.width);" for key in keys]
        for key, variable in self.variables.items():
            if isinstance(variable, Constant) and key in used:
                lines.append(f"const {c_data_type(variable.dtype)} {key} = {self._number(variable)};")
            elif isinstance(variable, Function):
                for name, values in self._arrays_of_function(variable).items():
                    kind = c_data_type(values.dtype)
                    slot = self._slot(FixedArray(np.ascontiguousarray(values)))
                    for old, new in self._renamed.items():
                        name = re.sub(rf"{old}(?!\d)", new, name)
                    lines.append(f"{kind}* const {name} = static_cast<{kind}*>({slot}.data);")
        return lines

    def _slot(self, array: FixedArray | GrowingArray) -> str:
        self.arrays.append(array)
        return f"(*task.slots[{len(self.arrays) - 1}])"

    def _number(self, variable: Constant) -> str:
        if np.issubdtype(variable.dtype, np.floating):
            self.reals.append(float(variable.value))
            return f"task.reals[{len(self.reals) - 1}]"
        self.integers.append(int(variable.value))
        return f"task.integers[{len(self.integers) - 1}]"

    def _arrays_of_function(self, function: Function) -> dict[str, np.ndarray]:
        implementation = function.implementations[type(self)]
        found = {k: v for k, v in (implementation.get_namespace(self.owner) or {}).items() if hasattr(v, "dtype")}
        for dependency in (implementation.dependencies or {}).values():
            found.update(self._arrays_of_function(dependency))
        return found

    # Nothing is compiled before the whole network is known, see network.py.

    def compile_block(self, block: str) -> None:
        pass

    def __call__(self, **_: Any) -> None:
        self.device.call(self)

    def run_block(self, block: str) -> None:
        if block == "run":
            self.device.call(self)
        elif block == "before_run" and self.template_name == "synapses_push_spikes":
            if not self.owner.queue.fresh:  # delivery has not looked at it
                self.owner.initialise_queue()
            self.owner.queue.fresh = False
        elif block == "after_run" and self.template_name == "threshold":
            self.event_variable.get_value()[-1] = 0  # the number of events


def _implement(name: str, method: str) -> None:
    code = f"""
static inline double _{name}(const int _i, const uint64_t _draw) {{ return *native::draws.{method}(_i, _draw); }}
static inline double _{name}(const int _i) {{ return _{name}(_i, native::draws.next(_i)); }}
template <class V> static inline V _{name}_vector(native::Draws& _draws, const int64_t _i, const uint64_t _draw)
{{
    return native::rounded<V>(_draws.{method}(_i, _draw));
}}
"""
    DEFAULT_FUNCTIONS[name].implementations.add_implementation(NativeCodeObject, code=code, name=f"_{name}")


_implement("rand", "uniform")
_implement("randn", "normal")

#: Poisson numbers of a mean that stays: one uniform number, looked up in the cumulative probabilities, of which tables
#: keep those of the last means.
_POISSON = """
struct _PoissonTable {
    double mean = NAN, upto[64];
    uint8_t first[256];  // where to look for a number that begins with these 8 bits
    int often, last;     // larger numbers are rare; from `last` on, all are equal to the last bit

    int32_t number(const double uniform) const
    {
        int32_t k = first[int(uniform * 256)];
        while (uniform >= upto[k]) k++;
        return k;
    }

    // The same number for each lane, by counting.
    native::Doubles numbers(const native::Doubles& uniform) const
    {
        native::Doubles found{};
        for (int k = 0; k < often; k++) found = uniform >= upto[k] ? found + 1.0 : found;
        if (__builtin_expect(native::mask_bits(uniform >= upto[often]) != 0, 0)) {
            for (int k = often; k < last; k++) found = uniform >= upto[k] ? found + 1.0 : found;
            found = uniform >= upto[last] ? found + double(63 - last) : found;
        }
        return found;
    }

    void make(const double lam)
    {
        double chance = std::exp(-lam), sum = chance;
        for (int k = 0; k < 63; k++, chance *= lam / k, sum += chance) upto[k] = sum;
        upto[63] = 2;
        for (int k = 0, n = 0; n < 256; n++) {
            while (n / 256.0 >= upto[k]) k++;
            first[n] = uint8_t(k);
        }
        for (last = 0; upto[last] < upto[62];) last++;
        for (often = 0; often < last && upto[often] < 1 - 1.0 / 2048;) often++;
        mean = lam;
    }
};
// Groups with equal equations share this code, and may have means of their own.
static inline const _PoissonTable& _poisson_table(const double lam)
{
    static thread_local _PoissonTable tables[16];
    static thread_local int latest = 0;
    if (tables[latest].mean == lam || !(lam < 10)) return tables[latest];
    for (int i = 0; i < 16; i++)
        if (tables[i].mean == lam) return tables[latest = i];
    latest = (latest + 1) % 16;
    tables[latest].make(lam);
    return tables[latest];
}
static inline int32_t _poisson(const double lam, const int _i, const uint64_t _draw)
{
    if (!(lam < 10)) return _poisson(lam, _i);
    return _poisson_table(lam).number(*native::draws.uniform(_i, _draw));
}
template <class V>
static inline V _poisson_vector(
    native::Draws& _draws, const _PoissonTable& table, const double lam, const int64_t _i, const uint64_t _draw)
{
    V value;
    if (__builtin_expect(!(lam < 10), 0)) {
        for (int lane = 0; lane < native::lanes_of<V>; lane++) value[lane] = _poisson(lam, int(_i + lane));
        return value;
    }
    const double* const uniform = _draws.uniform(_i, _draw);
    for (int lane = 0; lane < native::lanes_of<V>; lane += native::LANES) {
        const native::Ints some = __builtin_convertvector(
            table.numbers(native::load<native::Doubles>(uniform + lane)), native::Ints);
        std::memcpy(reinterpret_cast<int32_t*>(&value) + lane, &some, sizeof some);
    }
    return value;
}
"""


def _implement_poisson() -> None:
    poisson = DEFAULT_FUNCTIONS["poisson"].implementations
    code = poisson[CPPCodeGenerator].get_code(None)
    text = code if isinstance(code, str) else code["support_code"]
    text = text.replace(" abs(", " std::abs(")  # C's own is one of whole numbers
    poisson.add_implementation(
        NativeCodeObject, code=text + _POISSON, name="_poisson", dependencies={"_rand": DEFAULT_FUNCTIONS["rand"]}
    )


_implement_poisson()
