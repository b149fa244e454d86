"""Tokens to a syntax tree, with error messages worded as the server's parser words them."""

from __future__ import annotations

from typing import Any, Final, NoReturn, cast

from eso_core.testing.apiserver.schema.cel import ast
from eso_core.testing.apiserver.schema.cel.ast import Node
from eso_core.testing.apiserver.schema.cel.errors import CompileError, Issue
from eso_core.testing.apiserver.schema.cel.lexer import Token, tokenize
from eso_core.testing.apiserver.schema.cel.values import INT_MAX

_PRIMARY: Final = (
    "'['",
    "'{'",
    "'('",
    "'.'",
    "'-'",
    "'!'",
    "'true'",
    "'false'",
    "'null'",
    "NUM_FLOAT",
    "NUM_INT",
    "NUM_UINT",
    "STRING",
    "BYTES",
    "IDENTIFIER",
)
_STARTS: Final = frozenset(name.strip("'") for name in _PRIMARY)
_RESERVED: Final = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)
_RELATIONS: Final = ("<", "<=", ">", ">=", "==", "!=", "in")
_DEPTH_LIMIT: Final = 250


class _Stop(Exception):
    """Parsing cannot go on; the issues say why."""


def parse(source: str) -> Node:
    """Parse an expression.

    Raises:
        CompileError: it is not well-formed.
    """
    tokens, issues = tokenize(source)
    parser = _Parser(tokens, issues)
    root: Node | None = None
    try:
        root = parser.expression()
        parser.end()
    except _Stop:
        root = None
    except RecursionError as error:
        too_deep = Issue(0, f"expression recursion limit exceeded: {_DEPTH_LIMIT}")
        raise CompileError(source, [too_deep]) from error
    if issues or root is None:
        raise CompileError(source, issues)
    return root


class _Parser:
    def __init__(self, tokens: list[Token], issues: list[Issue]) -> None:
        self._tokens = tokens
        self._index = 0
        self._issues = issues
        self._depth = 0

    # -- tokens

    @property
    def _token(self) -> Token:
        return self._tokens[self._index]

    def _advance(self) -> Token:
        token = self._tokens[self._index]
        if token.kind != "<EOF>":
            self._index += 1
        return token

    def _accept(self, kind: str) -> Token | None:
        return self._advance() if self._token.kind == kind else None

    def _issue(self, position: int, message: str) -> None:
        self._issues.append(Issue(position, message))

    def _following(self) -> str:
        return self._tokens[min(self._index + 1, len(self._tokens) - 1)].kind

    def _mismatch(self, expected: str) -> NoReturn:
        token = self._token
        self._issue(token.position, f"Syntax error: mismatched input '{token.text}' expecting {expected}")
        raise _Stop

    def _expect(self, kind: str) -> Token:
        """The token ``kind``, forgiving one that is missing or one too many, as the server's parser does."""
        token = self._token
        if token.kind == kind:
            return self._advance()
        if token.kind != "<EOF>" and self._following() == kind:
            self._issue(token.position, f"Syntax error: extraneous input '{token.text}' expecting '{kind}'")
            self._advance()
            return self._advance()
        if kind in ")]}" and token.kind in ("<EOF>", ")", "]", "}", ","):
            self._issue(token.position, f"Syntax error: missing '{kind}' at '{token.text}'")
            return token
        self._mismatch(f"'{kind}'")

    def end(self) -> None:
        """Nothing may follow the expression."""
        token = self._token
        if token.kind == "<EOF>":
            return
        word = "extraneous" if self._following() == "<EOF>" else "mismatched"
        self._issue(token.position, f"Syntax error: {word} input '{token.text}' expecting <EOF>")

    # -- operators, loosest first

    def expression(self) -> Node:
        self._depth += 1
        if self._depth > _DEPTH_LIMIT:
            raise RecursionError
        condition = self._or()
        question = self._accept("?")
        if question is not None:
            yes = self._or()
            self._expect(":")
            no = self.expression()
            condition = ast.Call(question.position, "_?_:_", None, [condition, yes, no])
        self._depth -= 1
        return condition

    def _or(self) -> Node:
        left = self._and()
        while (token := self._accept("||")) is not None:
            left = ast.Call(token.position, "_||_", None, [left, self._and()])
        return left

    def _and(self) -> Node:
        left = self._relation()
        while (token := self._accept("&&")) is not None:
            left = ast.Call(token.position, "_&&_", None, [left, self._relation()])
        return left

    def _relation(self) -> Node:
        left = self._sum()
        while self._token.kind in _RELATIONS:
            token = self._advance()
            name = "@in" if token.kind == "in" else f"_{token.kind}_"
            left = ast.Call(token.position, name, None, [left, self._sum()])
        return left

    def _sum(self) -> Node:
        left = self._product()
        while self._token.kind in ("+", "-"):
            token = self._advance()
            left = ast.Call(token.position, f"_{token.kind}_", None, [left, self._product()])
        return left

    def _product(self) -> Node:
        left = self._unary()
        while self._token.kind in ("*", "/", "%"):
            token = self._advance()
            left = ast.Call(token.position, f"_{token.kind}_", None, [left, self._unary()])
        return left

    def _unary(self) -> Node:
        token = self._token
        if token.kind in ("!", "-"):
            count = 0
            while self._accept(token.kind) is not None:
                count += 1
            if token.kind == "-" and count == 1 and self._token.kind in ("NUM_INT", "NUM_FLOAT"):
                literal = self._advance()
                negative = ast.Constant(token.position, -literal.value)
                return self._members(negative)
            operand = self._members(self._primary())
            if count % 2 == 0:
                return operand
            return ast.Call(token.position, f"{token.kind}_", None, [operand])
        return self._members(self._primary())

    # -- members

    def _members(self, node: Node) -> Node:
        while True:
            token = self._token
            if token.kind == ".":
                self._advance()
                node = self._member(node, token)
            elif token.kind == "[":
                self._advance()
                optional = self._accept("?") is not None
                index = self.expression()
                self._expect("]")
                node = ast.Call(token.position, "_[?_]" if optional else "_[_]", None, [node, index])
            elif token.kind == "{" and (name := _qualified(node)):
                node = self._struct(name, token)
            else:
                return node

    def _member(self, operand: Node, dot: Token) -> Node:
        optional = self._accept("?") is not None
        token = self._token
        if token.kind == "ESC_IDENTIFIER":
            self._advance()
            return ast.Select(dot.position, operand, token.text[1:-1], optional)
        if token.kind == "in":
            # A keyword, but a field may have that name.
            self._issue(token.position, "Syntax error: no viable alternative at input '.in'")
            raise _Stop
        if token.kind != "IDENTIFIER":
            self._issue(token.position, f"Syntax error: no viable alternative at input '.{token.text}'")
            raise _Stop
        self._advance()
        if self._token.kind == "(" and not optional:
            opening = self._advance()
            arguments = self._arguments()
            return self._call(token, opening.position, operand, arguments)
        return ast.Select(dot.position, operand, token.text, optional)

    def _arguments(self) -> list[Node]:
        arguments: list[Node] = []
        if self._accept(")") is not None:
            return arguments
        while True:
            arguments.append(self.expression())
            if self._accept(",") is None:
                break
        self._expect(")")
        return arguments

    # -- primaries

    def _primary(self) -> Node:
        token = self._token
        match token.kind:
            case "true" | "false":
                self._advance()
                return ast.Constant(token.position, token.kind == "true")
            case "null":
                self._advance()
                return ast.Constant(token.position, None)
            case "NUM_INT":
                self._advance()
                if token.value > INT_MAX:
                    self._issue(token.position, "Syntax error: invalid int literal")
                return ast.Constant(token.position, token.value)
            case "NUM_FLOAT" | "NUM_UINT" | "STRING" | "BYTES":
                self._advance()
                return ast.Constant(token.position, token.value)
            case "(":
                self._advance()
                inner = self.expression()
                self._expect(")")
                return inner
            case "[":
                return self._list(self._advance())
            case "{":
                return self._map(self._advance())
            case "." | "IDENTIFIER":
                return self._identifier()
        if token.kind != "<EOF>" and self._following() in _STARTS:
            expected = f"{{{', '.join(_PRIMARY)}}}"
            self._issue(token.position, f"Syntax error: extraneous input '{token.text}' expecting {expected}")
            self._advance()
            return self._primary()
        self._mismatch(f"{{{', '.join(_PRIMARY)}}}")

    def _identifier(self) -> Node:
        dot = self._accept(".")
        token = self._token
        if token.kind != "IDENTIFIER":
            self._mismatch("IDENTIFIER")
        self._advance()
        if token.text in _RESERVED:
            self._issue(token.position, f"reserved identifier: {token.text}")
        name = f".{token.text}" if dot is not None else token.text
        if self._token.kind == "(":
            opening = self._advance()
            return self._call(token, opening.position, None, self._arguments(), name)
        return ast.Identifier(token.position, name)

    def _list(self, opening: Token) -> Node:
        elements: list[Node] = []
        optional: set[int] = set()
        while self._token.kind != "]":
            if self._accept("?") is not None:
                optional.add(len(elements))
            elements.append(self.expression())
            if self._accept(",") is None:
                break
        self._expect("]")
        return ast.ListLiteral(opening.position, elements, frozenset(optional))

    def _map(self, opening: Token) -> Node:
        entries: list[tuple[Node, Node]] = []
        optional: set[int] = set()
        while self._token.kind != "}":
            if self._accept("?") is not None:
                optional.add(len(entries))
            key = self.expression()
            self._expect(":")
            entries.append((key, self.expression()))
            if self._accept(",") is None:
                break
        self._expect("}")
        return ast.MapLiteral(opening.position, entries, frozenset(optional))

    def _struct(self, name: str, opening: Token) -> Node:
        self._advance()
        entries: list[tuple[str, Node]] = []
        while self._token.kind != "}":
            self._accept("?")
            field = self._token
            if field.kind not in ("IDENTIFIER", "ESC_IDENTIFIER"):
                self._mismatch("{'}', ',', '?', IDENTIFIER, ESC_IDENTIFIER}")
            self._advance()
            self._expect(":")
            entries.append((field.text.strip("`"), self.expression()))
            if self._accept(",") is None:
                break
        self._expect("}")
        return ast.StructLiteral(opening.position, name, entries)

    # -- calls and macros

    def _call(self, name: Token, position: int, target: Node | None, arguments: list[Node], function: str = "") -> Node:
        if target is None and name.text == "has" and len(arguments) == 1:
            return self._has(position, arguments[0])
        if target is not None:
            macro = self._macro(name.text, position, target, arguments)
            if macro is not None:
                return macro
        return ast.Call(position, function or name.text, target, arguments)

    def _has(self, position: int, argument: Node) -> Node:
        if isinstance(argument, ast.Select) and not argument.optional:
            return ast.Presence(position, argument.operand, argument.field)
        self._issue(argument.position, "invalid argument to has() macro")
        return ast.Constant(position, False)

    def _macro(self, name: str, position: int, target: Node, arguments: list[Node]) -> Node | None:
        count = len(arguments)
        if name == "bind" and isinstance(target, ast.Identifier) and target.name == "cel" and count == 3:
            variable = self._variable(arguments[0], "cel.bind() variable names must be simple identifiers")
            return ast.Bind(position, variable, arguments[1], arguments[2])
        if name in ("optMap", "optFlatMap") and count == 2:
            variable = self._variable(arguments[0], f"{name}() variable name must be a simple identifier")
            return ast.OptionalMap(position, target, variable, arguments[1], name == "optFlatMap")
        kind = "exists_one" if name == "existsOne" else name
        two = kind in ("transformList", "transformMap", "transformMapEntry")
        if kind in ("all", "exists", "exists_one"):
            if count not in (2, 3):
                return None
            variables = self._variables(arguments[: count - 1])
            return self._comprehension(position, kind, target, variables, None, arguments[-1])
        if kind == "filter" and count == 2:
            return self._comprehension(position, kind, target, self._variables(arguments[:1]), None, arguments[1])
        if kind == "map" and count in (2, 3):
            condition = arguments[1] if count == 3 else None
            return self._comprehension(position, kind, target, self._variables(arguments[:1]), condition, arguments[-1])
        if two and count in (3, 4):
            condition = arguments[2] if count == 4 else None
            return self._comprehension(position, kind, target, self._variables(arguments[:2]), condition, arguments[-1])
        return None

    def _comprehension(
        self, position: int, kind: str, source: Node, variables: tuple[str, ...], condition: Node | None, body: Node
    ) -> Node:
        return ast.Macro(position, cast(Any, kind), source, variables, condition, body)

    def _variables(self, arguments: list[Node]) -> tuple[str, ...]:
        names = tuple(self._variable(argument, "argument must be a simple name") for argument in arguments)
        if len(names) == 2 and names[0] == names[1]:
            self._issue(arguments[1].position, f"duplicate variable name: {names[1]}")
        return names

    def _variable(self, argument: Node, complaint: str) -> str:
        if isinstance(argument, ast.Identifier) and not argument.name.startswith("."):
            if argument.name == "__result__":
                self._issue(argument.position, "iteration variable overwrites accumulator variable")
            return argument.name
        self._issue(argument.position, complaint)
        return "_"


def _qualified(node: Node) -> str:
    """The dotted name that a node spells, or empty."""
    if isinstance(node, ast.Identifier):
        return node.name
    if isinstance(node, ast.Select) and not node.optional:
        prefix = _qualified(node.operand)
        return f"{prefix}.{node.field}" if prefix else ""
    return ""
