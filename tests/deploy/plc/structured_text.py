"""Runs the subset of IEC 61131-3 Structured Text that deploy/plc is written in; no PLC is needed.

What a PLC may do otherwise is an error here: a name that is not declared, an index out of bounds,
and a value that has left 32 bits and is compared or divided before it was stored.
"""

import re
from dataclasses import dataclass, field
from typing import Any

WIDTHS = {"UINT": 2**16, "UDINT": 2**32}
TOKEN = re.compile(r"T#\d+ms|\w+(?:\.\w+)?|:=|<>|<=|>=|[-+*/()\[\]=<>,:;]")
WORDS = {"AND": "and", "OR": "or", "NOT": "not", "MOD": "%", "TRUE": "True", "FALSE": "False"}
SIGNS = {"=": "==", "<>": "!=", "/": "//"}
DECLARATION = re.compile(r"(\w+) : (ARRAY\[(\d+)\.\.(\d+)\] OF )?(\w+)(?: := ([^;]+))?;")
UNIT = re.compile(r"(FUNCTION_BLOCK|FUNCTION) (\w+)(?: : (\w+))?(.*?)END_\1", re.DOTALL)
SECTION = re.compile(r"(VAR\w*)( CONSTANT)?\n(.*?)END_VAR", re.DOTALL)


class Number(int):
    """A number of at most 32 bits once it is stored; until then it may have left them."""

    def __add__(self, other):
        return Number(int(self) + int(other))

    def __sub__(self, other):
        return Number(int(self) - int(other))

    def __mul__(self, other):
        return Number(int(self) * int(other))

    def __floordiv__(self, other):
        return Number(stored(self) // stored(other))

    def __mod__(self, other):
        return Number(stored(self) % stored(other))

    def __lt__(self, other):
        return stored(self) < stored(other)

    def __ge__(self, other):
        return stored(self) >= stored(other)

    def __gt__(self, other):
        return stored(self) > stored(other)

    def __eq__(self, other):
        return stored(self) == stored(other)

    def __ne__(self, other):
        return stored(self) != stored(other)

    __hash__ = int.__hash__
    __radd__ = __add__


def stored(number):
    """The number, if it is the same on a PLC that calculates with 32 bits and on one with 64."""
    if not 0 <= int(number) < 2**32:
        msg = f"a value must be stored before it is compared or divided, got {int(number)}"
        raise ArithmeticError(msg)
    return int(number)


@dataclass
class Variable:
    """A declaration; `size` is of an array."""

    name: str
    kind: str
    size: int
    initial: str
    section: str


class Timer:
    """TON of IEC 61131-3, 2.5.2.3.4: Q follows IN after PT of it."""

    def __init__(self, clock):
        self.Q, self._clock, self._since_ms = False, clock, None

    def __call__(self, IN, PT):  # noqa: N803, the standard's names
        now_ms = self._clock()
        self._since_ms = (now_ms if self._since_ms is None else self._since_ms) if IN else None
        self.Q = bool(IN) and now_ms - self._since_ms >= PT


class Memory(dict):
    """Variables by name; a value takes its variable's width, and a strange name is an error."""

    def __init__(self, variables):
        super().__init__()
        self.kinds = {v.name: v.kind for v in variables}

    def __setitem__(self, name, value):
        if name not in self.kinds:
            msg = f"{name} must be declared"
            raise NameError(msg)
        super().__setitem__(name, fitting(self.kinds[name], value))


def fitting(kind, value):
    """The value as a variable of this kind keeps it."""
    if kind in WIDTHS and isinstance(value, int):
        return Number(int(value) % WIDTHS[kind])
    return value


class Array(list):
    """Its indices are those of the declaration: there is no last but one."""

    def __init__(self, kind, values):
        super().__init__(values)
        self._kind = kind

    def __getitem__(self, at):
        return super().__getitem__(self._checked(at))

    def __setitem__(self, at, value):
        super().__setitem__(self._checked(at), fitting(self._kind, value))

    def _checked(self, at):
        if not 0 <= int(at) < len(self):
            msg = f"an index must be 0 to {len(self) - 1}, got {at}"
            raise IndexError(msg)
        return int(at)


@dataclass
class Unit:
    """A function or function block: what it declares and its statements."""

    name: str
    is_function: bool
    variables: list[Variable]
    code: Any
    tokens: list[str] = field(default_factory=list)


class Program:
    """The units of a file, with constants; `now_ms` is the clock of the timers."""

    def __init__(self, text, constants_text):
        self.now_ms = 0
        self.constants = {
            v.name: int(v.initial) for v in declared(without_comments(constants_text))
        }
        self.units = {unit.name: unit for unit in units(without_comments(text))}

    def call(self, name, *inputs):
        """The value of a function."""
        unit = self.units[name]
        names = [v.name for v in unit.variables if v.section == "VAR_INPUT"]
        memory = self._memory(unit, dict(zip(names, inputs, strict=True)))
        self._run(unit, memory)
        return memory[name]

    def instance(self, name):
        """A function block: call it with its inputs, and read its memory."""
        unit = self.units[name]
        memory = self._memory(unit, {})

        def scan(**inputs):
            for key, value in inputs.items():
                memory[key] = Array("UINT", map(Number, value)) if key == "words" else value
            self._run(unit, memory)
            return memory

        return scan

    def _memory(self, unit, given):
        memory = Memory(unit.variables)
        for variable in unit.variables:
            memory[variable.name] = given.get(variable.name, self._initial(variable))
        return memory

    def _initial(self, variable):
        if variable.kind == "TON":
            return Timer(lambda: self.now_ms)
        value = eval(python(TOKEN.findall(variable.initial or "0"), set()))  # noqa: S307
        value = bool(value) if variable.kind == "BOOL" else value
        return Array(variable.kind, [value] * variable.size) if variable.size else value

    def _run(self, unit, memory):
        functions = {
            n: lambda *a, n=n: self.call(n, *a) for n, u in self.units.items() if u.is_function
        }
        numbers = {name: Number(value) for name, value in self.constants.items()}
        exec(unit.code, {"m": memory, "Number": Number, **functions, **CONVERSIONS, **numbers})  # noqa: S102


CONVERSIONS = {"UINT_TO_UDINT": Number, "UDINT_TO_UINT": lambda value: Number(value % 2**16)}


def without_comments(text):
    """The text, each comment a blank."""
    return re.sub(r"\(\*.*?\*\)", " ", text, flags=re.DOTALL)


def declared(text):
    """All declarations in a text, in order."""
    found = []
    for section, _, body in SECTION.findall(text):
        for name, array, first, end, kind, initial in DECLARATION.findall(body):
            size = int(end) + 1 if array else 0
            assert not array or int(first) == 0
            found.append(Variable(name, kind, size, initial, section))
    return found


def units(text):
    """Functions and function blocks of a text."""
    for keyword, name, result, body in UNIT.findall(text):
        variables = declared(body)
        if result:
            variables.append(Variable(name, result, 0, "", "RESULT"))
        tokens = TOKEN.findall(SECTION.sub("", body))
        code = compile("\n".join(lines(tokens, {v.name for v in variables})), name, "exec")
        yield Unit(name, keyword == "FUNCTION", variables, code, tokens)


def lines(tokens, names):
    """Statements as lines of Python."""
    depth, rest = 0, list(tokens)
    while rest:
        word = rest[0]
        if word in ("END_IF", "END_FOR"):
            del rest[: rest.index(";") + 1]
            depth -= 1
            continue
        ending = {"IF": "THEN", "ELSIF": "THEN", "ELSE": "ELSE", "FOR": "DO"}.get(word, ";")
        cut = rest.index(ending)
        statement, rest = rest[:cut], rest[cut + 1 :]
        opens = word in ("IF", "ELSIF", "ELSE", "FOR")
        yield "    " * (depth - (word in ("ELSIF", "ELSE"))) + line(word, statement, names)
        depth += word in ("IF", "FOR")
        if opens:
            yield "    " * depth + "pass"


def line(word, statement, names):
    """One statement, without its ending."""
    if word == "ELSE":
        return "else:"
    if word in ("IF", "ELSIF"):
        return f"{'if' if word == 'IF' else 'elif'} {python(statement[1:], names)}:"
    if word == "FOR":
        to = statement.index("TO")
        first, end = python(statement[3:to], names), python(statement[to + 1 :], names)
        return f"for m['{statement[1]}'] in map(Number, range({first}, {end} + 1)):"
    if "(" in statement[1:2]:
        inside = python(statement[2:-1], names).replace(":=", "=")
        return f"m['{word}']({inside})"
    at = statement.index(":=")
    return f"{python(statement[:at], names)} = {python(statement[at + 1 :], names)}"


def python(tokens, names):
    """An expression; in a call of a function block the names of its inputs stay."""
    said = []
    for token, after in zip(tokens, [*tokens[1:], ""], strict=True):
        variable, _, member = token.partition(".")
        if variable in names and after != ":=":
            said.append(f"m['{variable}']" + (f".{member}" if member else ""))
        elif token.startswith("T#"):
            said.append(token[2:-2])
        elif token.isdigit():
            said.append(f"Number({token})" if names else token)
        else:
            said.append(WORDS.get(token, SIGNS.get(token, token)))
    return " ".join(said)
