"""What is said where YAML cannot go on: the place, the code and what to write."""

from __future__ import annotations

import re

import yaml

from archspec.ir.diagnostics import Source


def quoted_whole(source: Source, mark: tuple[int, int, int]) -> str | None:
    """The help for an expression that a comma has cut, with all of it, as far as its brackets reach."""
    from archspec.frontend.expressions import MAX_LENGTH, is_expression, written
    from archspec.frontend.spellings import corrected

    rest, depth = source.line(mark[0] + 1)[mark[1] : mark[1] + MAX_LENGTH], 0
    for i, c in enumerate(rest):
        depth += (c in "([") - (c in ")]")
        if c in ")]" and depth == 0:
            end = next((j for j in range(i + 1, len(rest)) if rest[j] in ",}]"), len(rest))
            text = next((t for t in (rest[1:end].strip(), rest[1 : i + 1]) if is_expression(t)), None)
            if text is None and (foreign := corrected(rest[1 : i + 1], is_expression)) is not None:
                return f"{foreign[0]}: {written(foreign[1])}"
            return f'inside {{...}} or [...], quote the expression: "={text}"' if text and '"' not in text else None
    return None


def closed_once(text: str, source: Source, mark: tuple[int, int, int]) -> str | None:
    """The help for an expression whose brackets do not balance though nothing cuts it: in quotes, or behind a key."""
    from archspec.frontend.expressions import is_expression, written

    line = source.line(mark[0] + 1)
    is_whole = line[mark[1] : mark[1] + 1] in ("'", '"') or not re.search(r"[\[{]", line[: mark[1]])
    if len(text) > 200:
        return None
    if not is_whole:
        fewer = text[1:].removesuffix(")").strip()
        return f"one bracket too many: {written(fewer)}" if fewer != text[1:] and is_expression(fewer) else None
    for tried in (f"{text[1:]})", f"{text[1:]}]", text[1:].replace(")", "", 1), text[1:-1]):
        if is_expression(tried):
            return f'close every bracket once: "={tried}"'
    return "close every bracket once"


def apart(source: Source, at: tuple[int, int, int]) -> tuple[tuple[int, int, int], str | None]:
    """Numbers that stand apart where a list or a decimal point was meant: where they begin, and what to write."""
    from archspec.frontend.slips import numbers_apart

    line = source.line(at[0] + 1)
    if (unknown := re.search(r"\[\s*\?[^\]]*\]", line)) is not None and unknown.start() <= at[1] <= unknown.end():
        return (at[0], unknown.start(), 1), f"a size that is open is null: {unknown[0].replace('?', 'null')}"
    found = numbers_apart(line, at[1]) or positional(line, at[1])
    return ((at[0], found[0], 1), found[1]) if found else (at, None)


_POSITIONAL = re.compile(r"([A-Za-z_]\w{0,60}):\s*\{\s*(=?[\w.]{1,60})\s*,", re.ASCII)


def positional(line: str, column: int) -> tuple[int, str] | None:
    """``conv: {3, 9}``: arguments of an op without their names."""
    from archspec.frontend.slips.stop import MAX_LINE
    from archspec.ops.base import Op

    if len(line) > MAX_LINE:
        return None
    for match in _POSITIONAL.finditer(line[: column + 80]):
        op = Op.find(match[1])
        if not match.start(2) <= column <= match.end():
            continue
        if op is not None and op.main:
            return match.start(2), f"arguments go by name: {match[1]}: {{{op.main}: {match[2]}, …}}"
        inside = re.match(r"\{([^{}:]{1,120})\}", line[match.end(1) + 1 :].lstrip())
        if inside is not None:
            return match.start(2), f"a list has square brackets: {match[1]}: [{inside[1].strip()}]"
        return match.start(2), f"arguments go by name: {match[1]}: {{NAME: {match[2]}, …}}"
    return None


def flow_help(source: Source, at: tuple[int, int, int]) -> str:
    whole = source.line(at[0] + 1)
    if len(whole) < 400 and (step := _BRACED_STEP.fullmatch(whole)) is not None:
        return f"an op and its modifiers stand in braces: - {{{step[1]}, {step[2]}}}"
    line = whole[max(0, at[1] - 2) : at[1] + 80]
    if (name := _TEMPLATE.search(line)) is not None:
        return f"a parameter is written ={name[1]}"
    return 'inside {...} or [...], quote a reference or expression that contains brackets or commas: "p[i]"'


_BRACED_STEP = re.compile(r"\s*- \{(.*)\}\s*,?\s*((?:as|from|when|repeat|each|merge): .*)")


_TEMPLATE = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}", re.ASCII)


def stopped(source: Source, error: yaml.MarkedYAMLError) -> tuple[tuple[int, int, int], str, str, str | None]:
    """Place, code, message and help of what the parser stopped at."""
    from archspec.frontend.slips import slip

    mark, begun = error.problem_mark or error.context_mark, error.context_mark or error.problem_mark
    if mark is None or begun is None:
        return (0, 0, 1), "Y01", f"not valid YAML: {error.problem or error.context or 'cannot be read'}", None
    at = (mark.line, mark.column, 1)
    found = slip(source.lines, *at[:2], error.problem or "", (begun.line, begun.column), error.context or "")
    if found is not None:
        return (found.row, found.column, found.length), "Y01", f"not valid YAML: {found.message}", found.help
    message = f"not valid YAML: {error.problem or error.context or 'cannot be read'}"
    return at, "Y01", message, _begun(error, at)


def _begun(error: yaml.MarkedYAMLError, at: tuple[int, int, int]) -> str | None:
    """Where what is not closed begins, if on another line."""
    begin = error.context_mark
    if begin is None or begin.line == at[0] or not error.context:
        return None
    return f"{error.context}, which begins at line {begin.line + 1}, column {begin.column + 1}"
