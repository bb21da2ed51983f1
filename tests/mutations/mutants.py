"""Mutants of a source text: one sign, mask, scale, reduction or constant changed at a time, in its syntax tree.

Changed is only what computes: not annotations, docstrings, defaults of arguments, error texts, nor what a SPEC says
(the functions inside a SPEC are changed). A mutant that computes the same as the original is made like any other.
"""

import ast
import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass

KINDS = ("sign", "mask", "scale", "reduction", "constant")
_OPERATORS: dict[type[ast.operator], tuple[str, type[ast.operator]]] = {
    ast.Add: ("sign", ast.Sub),
    ast.Sub: ("sign", ast.Add),
    ast.Mult: ("scale", ast.Div),
    ast.Div: ("scale", ast.Mult),
    ast.BitAnd: ("mask", ast.BitOr),
    ast.BitOr: ("mask", ast.BitAnd),
}
_UNARY: dict[type[ast.unaryop], str] = {ast.USub: "sign", ast.Invert: "mask", ast.Not: "mask"}
_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}


def _both_ways(*pairs: tuple[str, str]) -> dict[str, str]:
    return {one: other for pair in pairs for one, other in (pair, pair[::-1])}


_MASKS = _both_ways(("pos", "neg"), ("positives", "negatives"))
_REDUCTIONS = _both_ways(("mean", "sum"), ("max", "min"), ("amax", "amin"), ("maximum", "minimum"), ("any", "all"))
_OVER = {"sum", "mean", "max", "min", "amax", "amin", "any", "all", "logsumexp", "softmax", "log_softmax", "cumsum"}
_QUIET = (ast.Raise, ast.Assert, ast.JoinedStr, ast.Import, ast.ImportFrom)  # nothing in them computes a loss


@dataclass(frozen=True)
class Mutant:
    """A whole source text in which one place was changed."""

    line: int  # in the original
    kind: str  # one of KINDS
    before: str
    after: str
    source: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.kind}: {self.before}  ->  {self.after}"


class _Changer(ast.NodeTransformer):
    """Counts the changes that can be made, in the order of the text, and makes the one whose number is `wanted`."""

    def __init__(self, wanted: int = -1) -> None:
        self.wanted, self.found = wanted, list[tuple[int, str, str, str]]()

    def offer(self, node: ast.expr, kind: str, changed: ast.expr) -> ast.expr:
        number = len(self.found)
        self.found.append((node.lineno, kind, ast.unparse(node), ast.unparse(changed)))
        return ast.copy_location(changed, node) if number == self.wanted else node

    def visit(self, node: ast.AST) -> ast.AST:
        return node if isinstance(node, _QUIET) else super().visit(node)  # type: ignore[no-any-return]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        if not any(isinstance(target, ast.Name) and target.id == "SPEC" for target in node.targets):
            return self.generic_visit(node)
        for inner in ast.walk(node.value):
            if isinstance(inner, ast.Lambda):
                inner.body = self.visit(inner.body)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        kind, operator = _OPERATORS.get(type(node.op), ("", None))
        changed = copy.deepcopy(node)
        self.generic_visit(node)
        if operator is None:
            return node
        changed.op = operator()
        return self.offer(node, kind, changed)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        changed = copy.deepcopy(node.operand)
        self.generic_visit(node)
        return self.offer(node, _UNARY[type(node.op)], changed) if type(node.op) in _UNARY else node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        changed = copy.deepcopy(node)
        self.generic_visit(node)
        if len(node.ops) != 1 or type(node.ops[0]) not in _COMPARED:
            return node
        changed.ops = [_COMPARED[type(node.ops[0])]()]
        return self.offer(node, "mask", changed)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        changed = copy.deepcopy(node)
        self.generic_visit(node)
        names = [
            (kind, table[node.attr])
            for kind, table in (("mask", _MASKS), ("reduction", _REDUCTIONS))
            if node.attr in table
        ]
        if not names:
            return node
        kind, changed.attr = names[0]
        return self.offer(node, kind, changed)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Besides what stands in it: the dimension over which a call reduces."""
        over = isinstance(node.func, ast.Attribute) and node.func.attr in _OVER
        places = [word.value for word in node.keywords if word.arg == "dim"]
        places += [value for value in node.args if over and isinstance(value, ast.Constant | ast.UnaryOp)]
        held = [place for place in places if _whole(place) is not None]
        node.func = self.visit(node.func)
        node.args = [self._dim(value) if value in held else self.visit(value) for value in node.args]
        for word in node.keywords:
            word.value = self._dim(word.value) if word.value in held else self.visit(word.value)
        return node

    def _dim(self, node: ast.expr) -> ast.expr:
        return self.offer(node, "reduction", ast.Constant(1 if _whole(node) == 0 else 0))

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        value = node.value
        if not isinstance(value, bool | int | float):
            return node
        other = not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else 2 * value or 1.0
        return self.offer(node, "constant", ast.Constant(other))


def _whole(node: ast.expr) -> int | None:
    """The whole number that a literal stands for."""
    sign = -1 if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else 1
    inner = node.operand if isinstance(node, ast.UnaryOp) else node
    value = inner.value if isinstance(inner, ast.Constant) else None
    return sign * value if isinstance(value, int) and not isinstance(value, bool) else None


def every(source: str) -> Iterator[Mutant]:
    """All mutants of a text, in the order in which they stand in it."""
    counter = _Changer()
    counter.visit(ast.parse(source))
    for number, (line, kind, before, after) in enumerate(counter.found):
        tree = _Changer(number).visit(ast.parse(source))
        yield Mutant(line, kind, before, after, ast.unparse(ast.fix_missing_locations(tree)) + "\n")


def choose(source: str, most: int, seed: object) -> list[Mutant]:
    """At most so many mutants, drawn by the seed in turn from each kind, in the order of the text."""
    chance = random.Random(str(seed))
    found = list(every(source))
    piles = [[mutant for mutant in found if mutant.kind == kind] for kind in KINDS]
    for pile in piles:
        chance.shuffle(pile)
    turns = [pile[turn] for turn in range(len(found)) for pile in piles if turn < len(pile)]
    return sorted(turns[:most], key=lambda mutant: (mutant.line, mutant.kind))
