"""One translation unit out of many code objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from brian2.codegen.generators.cpp_generator import CPPCodeGenerator
from brian2.core.preferences import prefs

from brainsim.native.build import Extras
from brainsim.native.codeobject import NativeCodeObject

_HERE = Path(__file__).parent
_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include\b.*$", re.MULTILINE)
_DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.MULTILINE)
_STREAM = re.compile(r"\b(cout|cerr|endl)\b")
#: Headers that only some models need, and the text that shows it.
_HEADERS = {"vectors.hpp": "native::", "random.hpp": "native::Draws", "counts.hpp": "native::Counts"}


@cache
def _text(name: str) -> str:
    return (_HERE / name).read_text()


def translation_unit(codeobjects: Sequence[NativeCodeObject]) -> tuple[str, list[int]]:
    """The source, and for each code object the number of its function. Equal texts are one function."""
    numbers: dict[str, int] = {}
    for codeobject in codeobjects:
        numbers.setdefault(codeobject.text, len(numbers))
    includes = sorted({_include(header) for codeobject in codeobjects for header in codeobject.headers})
    functions = []
    for text, number in numbers.items():
        includes += [line.strip() for line in _INCLUDE.findall(text)]
        if _STREAM.search(text):
            includes.append("#include <iostream>")
        body = _INCLUDE.sub("", text)
        forget = "".join(f"#undef {name}\n" for name in sorted(set(_DEFINE.findall(body))))
        functions.append(f"namespace f{number} {{\n{body}\n}}\n{forget}")
    table = ", ".join(f"f{number}::run" for number in range(len(numbers))) or "nullptr"
    source = "\n".join(
        [
            _text("runtime.hpp"),
            *(_text(name) for name, sign in _HEADERS.items() if any(sign in text for text in numbers)),
            *dict.fromkeys(includes),
            "using namespace std;" if any("<iostream>" in line for line in includes) else "",
            CPPCodeGenerator.universal_support_code,
            "namespace {",
            *functions,
            f"const native::Function functions[] = {{{table}}};",
            "}",
            _text("threads.hpp"),
            _text("main.hpp"),
        ]
    )
    return source, [numbers[codeobject.text] for codeobject in codeobjects]


def _include(header: str) -> str:
    return f"#include {header}" if header[:1] in '<"' else f'#include "{header}"'


def extras(codeobjects: Iterable[NativeCodeObject]) -> Extras:
    """What Brian2's preferences, and the user functions in the code, want the compiler to be told."""
    names = ["define_macros", "include_dirs", "library_dirs", "runtime_library_dirs", "libraries", "sources"]
    wanted: dict[str, dict[str, None]] = {name: {} for name in names}
    asked = [{name: prefs[f"codegen.cpp.{name}"] for name in names[:-1]}]
    asked += [codeobject.compiler_kwds for codeobject in codeobjects]
    for keywords in asked:
        for name in names:
            for value in keywords.get(name, []):
                wanted[name]["=".join(map(str, value)) if isinstance(value, tuple) else str(value)] = None
    return Extras(*(tuple(wanted[name]) for name in names))
