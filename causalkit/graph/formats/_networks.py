"""Discrete Bayesian networks in BIF, Hugin's NET, GeNIe's XDSL and XMLBIF: states and tables of all variables, or their parents alone.

BIF has blocks ``variable X { type discrete [ 2 ] { yes, no }; }`` and ``probability ( X | A, B ) { (yes, no) 0.1, 0.9; ... }``; in a ``table`` the variable
itself varies slowest and the last parent fastest. In the three others the variable varies fastest and the first parent slowest. What is said of looks and
costs is skipped; nothing is executed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from xml.etree import ElementTree as ET

import numpy as np

from causalkit.exceptions import ParseError
from causalkit.graph.formats._limits import check_length
from causalkit.graph.formats._tables import MAX_TEXT, Floats, Network, Words, check_size, numbers_of

# -- BIF -------------------------------------------------------------------------------------------------------------------

_BIF_COMMENT = r"//[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/"


def read_bif(text: str, *, tables: bool) -> Network:
    """Read BIF."""
    words, found = Words(text, _BIF_COMMENT, "//|/[*]", "(){}[];,|"), Network(tables)
    while words:
        block = words.take()
        if block == "network":
            words.until_mark("{")
            words.skip_block()
        elif block == "variable":
            _bif_variable(words, found)
        elif block == "probability":
            _bif_probability(words, found)
        else:
            raise ParseError(f"expected 'network', 'variable' or 'probability' and found {block[:80]!r}")
    return found.complete()


def _bif_variable(words: Words, found: Network) -> None:
    name = words.take()
    words.take("{")
    values, declared = list[str](), None
    while not words.next_is("}"):
        entry = words.take()
        if entry == "type":
            declared = _declared(words, name)
            values = words.until("}")
            if words.next_is(";"):
                words.take(";")
        elif entry == "property":
            words.skip_to(";")
        else:
            raise ParseError(f"variable {name!r}: expected 'type' or 'property' and found {entry[:80]!r}")
    words.take("}")
    found.add_variable(name, values, declared)


def _declared(words: Words, name: str) -> int:
    kind = words.take()
    if kind != "discrete":
        raise ParseError(f"variable {name!r} is {kind!r}; only discrete variables can be read")
    words.take("[")
    count = " ".join(words.until("]"))
    words.take("{")
    if not count.isdecimal():
        raise ParseError(f"variable {name!r} declares {count[:80]!r} states, which is no number")
    return int(count)


def _bif_probability(words: Words, found: Network) -> None:
    name, parents = _scope(words)
    found.add_parents(name, parents)
    if not found.with_tables:
        words.skip_block()
        return
    table = found.empty_table(name)
    words.take("{")
    while not words.next_is("}"):
        if words.next_is("("):
            _bif_row(words, table, name, found)
            continue
        entry = words.take()
        if entry == "property":
            words.skip_to(";")
        elif entry in ("table", "default"):
            _bif_rest(numbers_of(words.until(";"), name), table, name, whole=entry == "table")
        else:
            raise ParseError(
                f"probabilities of {name!r}: expected '(', 'table' or 'default' and found {entry[:80]!r}"
            )
    words.take("}")
    found.tables[name] = table


def _scope(words: Words) -> tuple[str, list[str]]:
    """Read ``( X | A, B )``."""
    words.take("(")
    name = words.take()
    if not words.next_is("|"):
        words.take(")")
        return name, []
    words.take("|")
    return name, words.until(")")


def _bif_rest(numbers: list[float], table: Floats, name: str, *, whole: bool) -> None:
    """Fill what is not yet filled: by a whole table, the variable slowest, or by one row for all."""
    if whole:
        check_size(numbers, table, name)
        rest = np.moveaxis(np.reshape(numbers, (table.shape[-1], *table.shape[:-1])), 0, -1)
    elif len(numbers) == table.shape[-1]:
        rest = np.broadcast_to(np.asarray(numbers), table.shape)
    else:
        raise ParseError(f"the default of {name!r} needs {table.shape[-1]} numbers and has {len(numbers)}")
    np.copyto(table, rest, where=np.isnan(table))


def _bif_row(words: Words, table: Floats, name: str, found: Network) -> None:
    words.take("(")
    key, numbers = words.until(")"), numbers_of(words.until(";"), name)
    parents = found.parents[name]
    if len(key) != len(parents) or len(numbers) != table.shape[-1]:
        raise ParseError(
            f"a row of {name!r} has {len(key)} states and {len(numbers)} numbers; {len(parents)} and {table.shape[-1]} are needed"
        )
    try:
        at = tuple(found.states[parent].index(value) for parent, value in zip(parents, key, strict=True))
    except ValueError:
        raise ParseError(
            f"a row of {name!r} names states {key}, which its parents {list(parents)} do not have"
        ) from None
    table[at] = numbers


def write_bif(
    states: Mapping[str, tuple[str, ...]],
    parents: Mapping[str, tuple[str, ...]],
    tables: Mapping[str, Floats],
) -> str:
    """Write BIF with one row per combination of the parents; numbers come back as they were."""
    lines = ["network unknown {", "}"]
    for variable, values in states.items():
        listed = ", ".join(map(_bif_name, values))
        lines += [
            f"variable {_bif_name(variable)} {{",
            f"  type discrete [ {len(values)} ] {{ {listed} }};",
            "}",
        ]
    for variable, table in tables.items():
        of = parents[variable]
        given = f" | {', '.join(map(_bif_name, of))}" if of else ""
        lines.append(f"probability ( {_bif_name(variable)}{given} ) {{")
        for at in np.ndindex(table.shape[:-1]):
            key = ", ".join(_bif_name(states[p][k]) for p, k in zip(of, at, strict=True))
            row = ", ".join(repr(float(v)) for v in table[at])
            lines.append(f"  ({key}) {row};" if of else f"  table {row};")
        lines.append("}")
    return "\n".join([*lines, ""])


def _bif_name(name: str) -> str:
    if re.fullmatch(r"[\w.+-]+", name) and name not in ("table", "default", "property", "type"):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# -- Hugin -----------------------------------------------------------------------------------------------------------------


def read_net(text: str, *, tables: bool) -> Network:
    """Read NET, the format of Hugin; utilities, decisions and continuous nodes are refused."""
    words, found = Words(text, r"%[^\n]*+", "%", "(){}=;|"), Network(tables)
    while words:
        block = words.take()
        if block == "net":
            words.skip_block()
        elif block in ("node", "discrete"):
            name = words.take()
            name = words.take() if block == "discrete" and name == "node" else name
            found.add_variable(name, _net_entry(words, "states", name))
        elif block == "potential":
            name, parents = _scope(words)
            found.add_parents(name, parents)
            if tables:
                found.add_numbers(name, _net_entry(words, "data", name))
            else:
                words.skip_block()
        else:
            raise ParseError(
                f"expected 'net', 'node' or 'potential' and found {block[:80]!r}; networks of discrete nodes can be read"
            )
    return found.complete()


def _net_entry(words: Words, needed: str, name: str) -> list[str]:
    """Read ``{ key = value; ... }`` and return the words of one value without parentheses."""
    words.take("{")
    found: dict[str, list[str]] = {}
    while not words.next_is("}"):
        key = words.take()
        words.take("=")
        found[key] = words.until(";", skip="()=|{}")
    words.take("}")
    if needed not in found:
        raise ParseError(f"{needed!r} is missing in the block of {name!r}")
    return found[needed]


# -- XML -------------------------------------------------------------------------------------------------------------------


def read_xdsl(text: str, *, tables: bool) -> Network:
    """Read XDSL, the format of GeNIe and SMILE: nodes with tables, and deterministic ones."""
    nodes, found = _xml(text, "smile").find("nodes"), Network(tables)
    for node in nodes if nodes is not None else ():
        name = node.get("id", "")
        if node.tag not in ("cpt", "deterministic"):
            raise ParseError(
                f"{name!r} is a node of type {node.tag!r}; nodes of type 'cpt' and 'deterministic' can be read"
            )
        found.add_variable(name, [state.get("id", "") for state in node.iter("state")])
        found.add_parents(name, (node.findtext("parents") or "").split())
        if tables and node.tag == "cpt":
            found.add_numbers(name, (node.findtext("probabilities") or "").split())
        elif tables:
            found.tables[name] = _results(node, name, found)
    return found.complete()


def _results(node: ET.Element, name: str, found: Network) -> Floats:
    """Return the table of a deterministic node, which lists one state per combination of its parents."""
    table, states = found.empty_table(name), found.states[name]
    results = (node.findtext("resultingstates") or "").split()
    if not set(results) <= set(states) or len(results) * len(states) != table.size:
        raise ParseError(
            f"the results of {name!r} are {results[:9]}; {table.size // len(states)} of its states are needed"
        )
    return np.reshape(np.eye(len(states))[[states.index(r) for r in results]], table.shape)


def read_xmlbif(text: str, *, tables: bool) -> Network:
    """Read XMLBIF 0.3."""
    network, found = _xml(text, "BIF").find("NETWORK"), Network(tables)
    for variable in network.iter("VARIABLE") if network is not None else ():
        name = (variable.findtext("NAME") or "").strip()
        if (kind := variable.get("TYPE", "nature")) != "nature":
            raise ParseError(f"variable {name!r} is of type {kind!r}; only 'nature' can be read")
        found.add_variable(name, [(o.text or "").strip() for o in variable.iter("OUTCOME")])
    for definition in network.iter("DEFINITION") if network is not None else ():
        name = (definition.findtext("FOR") or "").strip()
        found.add_parents(name, [(g.text or "").strip() for g in definition.iter("GIVEN")])
        if tables:
            found.add_numbers(name, list(_words_in(definition.find("TABLE"))))
    return found.complete()


def _words_in(element: ET.Element | None) -> Iterator[str]:
    if element is not None:
        for part in element.itertext():
            yield from part.split()


def _xml(text: str, root: str) -> ET.Element:
    """Parse XML of some kind; entities, which can grow without bound, are refused."""
    check_length(text, MAX_TEXT)
    if "<!ENTITY" in text:
        raise ParseError("XML that defines entities is not read")
    # The text is decoded already, whatever encoding it declares.
    plain = re.sub(r"\A\s*+(?:<\?xml[^>]*+>)?", "", text)
    try:
        found = ET.fromstring(plain.encode())
    except (ET.ParseError, UnicodeEncodeError) as error:
        raise ParseError(f"not XML: {error}") from None
    if found.tag != root:
        raise ParseError(f"expected an element <{root}> and found <{found.tag}>")
    return found


NETWORKS: dict[str, Callable[..., Network]] = {
    "bif": read_bif,
    "net": read_net,
    "xdsl": read_xdsl,
    "xmlbif": read_xmlbif,
}
"""Readers by name of the format."""
