"""Parses a template text into trees, one per name."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final, NoReturn, TypeVar

from controllers.templating.gotemplate.errors import ParseError, Place
from controllers.templating.gotemplate.lexer import Item, Kind, Lexer
from controllers.templating.gotemplate.literals import read_character, read_complex, read_number
from controllers.templating.gotemplate.nodes import (
    Action,
    Bool,
    Branch,
    Chain,
    Command,
    Dot,
    Field,
    Identifier,
    Jump,
    Listing,
    Mark,
    Nil,
    Node,
    Pipe,
    String,
    TemplateCall,
    Text,
    Tree,
    Variable,
    source,
)
from controllers.templating.gotemplate.quoting import quote, text, unquote
from controllers.templating.gotemplate.stacks import on_fresh_stack

__all__ = ["parse"]

T = TypeVar("T")

_DEEPEST: Final = 10_000
# Levels of nesting that one stack holds: each takes five frames.
_LEVELS: Final = 50
_OPERANDS: Final = frozenset(
    {
        Kind.BOOL, Kind.CHAR_CONSTANT, Kind.COMPLEX, Kind.DOT, Kind.FIELD, Kind.IDENTIFIER, Kind.NUMBER, Kind.NIL,
        Kind.RAW_STRING, Kind.STRING, Kind.VARIABLE, Kind.LEFT_PAREN,
    }
)  # fmt: skip


def parse(name: str, template: bytes, functions: Container[str], left: bytes, right: bytes) -> dict[bytes, Tree]:
    """All trees of a text by name; the text itself is the one called `name`.

    Raises:
        ParseError: it is no template.
    """
    trees: dict[bytes, Tree] = {}
    parser = _Parser(name, Lexer(template, left, right), functions, trees)
    parser.whole()
    return trees


class _Parser:
    """Parses one named template; definitions inside of it have parsers of their own that share the lexer."""

    def __init__(self, name: str, lexer: Lexer, functions: Container[str], trees: dict[bytes, Tree]) -> None:
        self._name = name
        self._lexer = lexer
        self._functions = functions
        self._trees = trees
        self._tokens: list[Item] = [Item(Kind.EOF, 0, b"", 1)] * 3
        self._peeked = 0
        self._vars: list[bytes] = [b"$"]
        self._ranges = 0
        self._parens = 0
        self._level = 0
        self._action_line = 0

    # -- tokens

    def _next(self) -> Item:
        if self._peeked:
            self._peeked -= 1
        else:
            self._tokens[0] = self._lexer.next_item()
        return self._tokens[self._peeked]

    def _backup(self) -> None:
        self._peeked += 1

    def _backup2(self, first: Item) -> None:
        self._tokens[1] = first
        self._peeked = 2

    def _backup3(self, second: Item, first: Item) -> None:
        self._tokens[1] = first
        self._tokens[2] = second
        self._peeked = 3

    def _peek(self) -> Item:
        if self._peeked:
            return self._tokens[self._peeked - 1]
        self._peeked = 1
        self._tokens[0] = self._lexer.next_item()
        return self._tokens[0]

    def _next_word(self) -> Item:
        token = self._next()
        while token.kind is Kind.SPACE:
            token = self._next()
        return token

    def _peek_word(self) -> Item:
        token = self._next_word()
        self._backup()
        return token

    # -- errors

    def _fail(self, message: str) -> NoReturn:
        line = self._tokens[0].line
        raise ParseError(
            f"template: {self._name}:{line}: {message}", Place(self._name, line, executing=self._name, message=message)
        )

    def _unexpected(self, token: Item, context: str) -> NoReturn:
        if token.kind is Kind.ERROR:
            message = token.describe()
            if self._action_line not in (0, token.line):
                word = "" if message.endswith(" action") else " in action"
                message += f"{word} started at {self._name}:{self._action_line}"
            self._fail(message)
        self._fail(f"unexpected {token.describe()} in {context}")

    def _value_of(self, literal: bytes) -> bytes:
        try:
            return unquote(literal)
        except ValueError:
            self._fail("invalid syntax")

    # -- templates

    def _child(self) -> _Parser:
        child = _Parser(self._name, self._lexer, self._functions, self._trees)
        child._level = self._level
        return child

    def whole(self) -> None:
        """The text from its beginning to its end."""
        root = Listing(self._peek().pos)
        while (token := self._peek()).kind is not Kind.EOF:
            if token.kind is Kind.LEFT_DELIM:
                delimiter = self._next()
                if self._next_word().kind is Kind.DEFINE:
                    self._child()._definition()
                    continue
                self._backup2(delimiter)
            node = self._text_or_action()
            if isinstance(node, Mark):
                self._fail(f"unexpected {node}")
            root.nodes.append(node)
        self._add(Tree(self._name.encode("utf-8", "surrogateescape"), root))

    def _definition(self) -> None:
        context = "define clause"
        token = self._next_word()
        if token.kind not in (Kind.STRING, Kind.RAW_STRING):
            self._unexpected(token, context)
        name = self._value_of(token.val)
        end = self._next_word()
        if end.kind is not Kind.RIGHT_DELIM:
            self._unexpected(end, context)
        body, mark = self._items()
        if mark.word != "end":
            self._fail(f"unexpected {mark} in {context}")
        self._add(Tree(name, body))

    def _add(self, tree: Tree) -> None:
        present = self._trees.get(tree.name)
        if present is None or present.empty:
            self._trees[tree.name] = tree
        elif not tree.empty:
            self._fail(f"template: multiple definition of template {text(quote(tree.name))}")

    def _items(self) -> tuple[Listing, Mark]:
        """What stands before the next `else` or `end`, and that."""
        body = Listing(self._peek_word().pos)
        while self._peek_word().kind is not Kind.EOF:
            node = self._text_or_action()
            if isinstance(node, Mark):
                return body, node
            body.nodes.append(node)
        self._fail("unexpected EOF")

    # -- actions

    def _text_or_action(self) -> Node:
        token = self._next_word()
        if token.kind is Kind.TEXT:
            return Text(token.pos, token.val)
        if token.kind is Kind.LEFT_DELIM:
            self._action_line = token.line
            try:
                return self._action()
            finally:
                self._action_line = 0
        self._unexpected(token, "input")

    def _deeper(self, call: Callable[[], T]) -> T:
        self._level += 1
        try:
            return on_fresh_stack(call) if self._level % _LEVELS == 0 else call()
        finally:
            self._level -= 1

    def _action(self) -> Node:
        token = self._next_word()
        match token.kind:
            case Kind.IF | Kind.WITH | Kind.RANGE:
                return self._deeper(lambda: self._control(token.val.decode()))
            case Kind.ELSE:
                return self._else()
            case Kind.END:
                return Mark(self._expect_right("end").pos, "end")
            case Kind.BREAK | Kind.CONTINUE:
                return self._jump(token)
            case Kind.TEMPLATE:
                return self._template_call()
            case Kind.BLOCK:
                return self._deeper(self._block)
        self._backup()
        return Action(self._peek().pos, self._pipeline("command", Kind.RIGHT_DELIM))

    def _expect_right(self, context: str) -> Item:
        token = self._next_word()
        if token.kind is not Kind.RIGHT_DELIM:
            self._unexpected(token, context)
        return token

    def _jump(self, token: Item) -> Node:
        jump = Jump(token.pos, token.val.decode())
        self._expect_right(str(jump))
        if self._ranges == 0:
            self._fail(f"{jump} outside {{{{range}}}}")
        return jump

    def _else(self) -> Node:
        token = self._peek_word()
        if token.kind in (Kind.IF, Kind.WITH):
            return Mark(token.pos, "else")
        return Mark(self._expect_right("else").pos, "else")

    def _control(self, word: str) -> Branch:
        """`if`, `with` or `range`; a chain of `else if` is a loop here and nests in the tree."""
        visible = len(self._vars)
        chain: list[Branch] = []
        while True:
            pipe = self._pipeline(word, Kind.RIGHT_DELIM)
            self._ranges += word == "range"
            body, mark = self._items()
            self._ranges -= word == "range"
            branch = Branch(pipe.pos, word, pipe, body, None)
            if chain:
                chain[-1].otherwise = Listing(branch.pos, [branch])
            chain.append(branch)
            if mark.word == "end":
                break
            following = self._peek()
            if (word, following.kind) not in (("if", Kind.IF), ("with", Kind.WITH)):
                branch.otherwise, mark = self._items()
                if mark.word != "end":
                    self._fail(f"expected end; found {mark}")
                break
            self._next()
        del self._vars[visible:]
        return chain[0]

    def _template_name(self, token: Item, context: str) -> bytes:
        if token.kind not in (Kind.STRING, Kind.RAW_STRING):
            self._unexpected(token, context)
        return self._value_of(token.val)

    def _block(self) -> TemplateCall:
        context = "block clause"
        token = self._next_word()
        name = self._template_name(token, context)
        pipe = self._pipeline(context, Kind.RIGHT_DELIM)
        child = self._child()
        body, mark = child._items()
        if mark.word != "end":
            self._fail(f"unexpected {mark} in {context}")
        child._add(Tree(name, body))
        return TemplateCall(token.pos, name, pipe)

    def _template_call(self) -> TemplateCall:
        context = "template clause"
        token = self._next_word()
        name = self._template_name(token, context)
        pipe = None
        if self._next_word().kind is not Kind.RIGHT_DELIM:
            self._backup()
            pipe = self._pipeline(context, Kind.RIGHT_DELIM)
        return TemplateCall(token.pos, name, pipe)

    # -- pipelines

    def _pipeline(self, context: str, end: Kind) -> Pipe:
        pipe = Pipe(self._peek_word().pos)
        self._declarations(pipe, context)
        while True:
            token = self._next_word()
            if token.kind is end:
                break
            if token.kind not in _OPERANDS:
                self._unexpected(token, context)
            self._backup()
            pipe.commands.append(self._command())
        if not pipe.commands:
            self._fail(f"missing value for {context}")
        for stage, command in enumerate(pipe.commands[1:], 2):
            if command.args[0].literal:
                self._fail(f"non executable command in pipeline stage {stage}")
        return pipe

    def _declarations(self, pipe: Pipe, context: str) -> None:
        while (variable := self._peek_word()).kind is Kind.VARIABLE:
            self._next()
            # A space is a token: three are looked at, to tell `$x foo` from `$x := foo`.
            adjacent = self._peek()
            following = self._peek_word()
            if following.kind in (Kind.ASSIGN, Kind.DECLARE):
                pipe.assigns = following.kind is Kind.ASSIGN
                self._next_word()
                self._declare(pipe, variable)
                return
            if following.kind is Kind.CHAR and following.val == b",":
                self._next_word()
                self._declare(pipe, variable)
                if context == "range" and len(pipe.declares) < 2:
                    if self._peek_word().kind in (Kind.VARIABLE, Kind.RIGHT_DELIM, Kind.RIGHT_PAREN):
                        continue
                    self._fail("range can only initialize variables")
                self._fail(f"too many declarations in {context}")
            if adjacent.kind is Kind.SPACE:
                self._backup3(variable, adjacent)
            else:
                self._backup2(variable)
            return

    def _declare(self, pipe: Pipe, variable: Item) -> None:
        pipe.declares.append(Variable(variable.pos, (variable.val,)))
        self._vars.append(variable.val)

    def _command(self) -> Command:
        command = Command(self._peek_word().pos)
        while True:
            self._peek_word()
            operand = self._operand()
            if operand is not None:
                command.args.append(operand)
            token = self._next()
            if token.kind is Kind.SPACE:
                continue
            if token.kind in (Kind.RIGHT_DELIM, Kind.RIGHT_PAREN):
                self._backup()
            elif token.kind is not Kind.PIPE:
                self._unexpected(token, "operand")
            break
        if not command.args:
            self._fail("empty command")
        return command

    def _operand(self) -> Node | None:
        node = self._term()
        if node is None or self._peek().kind is not Kind.FIELD:
            return node
        pos = self._peek().pos
        names: list[bytes] = []
        while self._peek().kind is Kind.FIELD:
            names.append(self._next().val[1:])
        if isinstance(node, Field | Variable):
            return type(node)(pos, (*node.names, *names))
        if node.literal:
            self._fail(f"unexpected . after term {text(quote(source(node).encode('utf-8', 'surrogateescape')))}")
        return Chain(pos, node, tuple(names))

    def _term(self) -> Node | None:
        token = self._next_word()
        match token.kind:
            case Kind.IDENTIFIER:
                name = text(token.val)
                if name not in self._functions:
                    self._fail(f"function {text(quote(token.val))} not defined")
                return Identifier(token.pos, name)
            case Kind.DOT:
                return Dot(token.pos)
            case Kind.NIL:
                return Nil(token.pos)
            case Kind.VARIABLE:
                if token.val not in self._vars:
                    self._fail(f"undefined variable {text(quote(token.val))}")
                return Variable(token.pos, (token.val,))
            case Kind.FIELD:
                return Field(token.pos, (token.val[1:],))
            case Kind.BOOL:
                return Bool(token.pos, token.val == b"true")
            case Kind.CHAR_CONSTANT | Kind.COMPLEX | Kind.NUMBER:
                return self._number(token)
            case Kind.LEFT_PAREN:
                if self._parens >= _DEEPEST:
                    self._fail("max expression depth exceeded")
                self._parens += 1
                pipe = self._deeper(lambda: self._pipeline("parenthesized pipeline", Kind.RIGHT_PAREN))
                self._parens -= 1
                return pipe
            case Kind.STRING | Kind.RAW_STRING:
                return String(token.pos, token.val, self._value_of(token.val))
        self._backup()
        return None

    def _number(self, token: Item) -> Node:
        read = {Kind.CHAR_CONSTANT: read_character, Kind.COMPLEX: read_complex}.get(token.kind, read_number)
        try:
            return read(token.pos, token.val)
        except ValueError as refused:
            self._fail(str(refused))
