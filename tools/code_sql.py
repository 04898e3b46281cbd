"""Find the expressions of Python modules that build SQL for Postgres, for tools/code_figures.py."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence

from tools.code_modules import HELPS, Module, Site

SPARK_SQL = {
    "include/sentiment/quality/rules.py": "the table of rules: conditions",
    "include/sentiment/scoring/balance.py": "expressions of the order in which texts are scored",
    "include/sentiment/scoring/chunks.py": "expressions over arrays of scores",
    "include/sentiment/drift/watched.py": "expressions of the watched columns",
}
"""Files (or folders, with a slash at the end) whose SQL is Spark's by design, and what it is.

A file that moves gets a second line here: its former path stays, so that older checkouts compare.
"""

SQL = re.compile(
    r"""^\s*\(?(SELECT|ANALYZE|GRANT|REVOKE|TRUNCATE|LOCK|SET|COPY|EXPLAIN|COMMENT\ ON|REFRESH|VACUUM)\s
    |^\s*(AND|OR|FROM|VALUES|UNION|HAVING|LIMIT)\b
    |\bSELECT\s[\s\S]*\bFROM\s
    |\bINSERT\ INTO\s|\bUPDATE\s[\s\S]*\bSET\s|\bDELETE\ FROM\s|\bSET\ LOCAL\s
    |\b(CREATE|ALTER|DROP)\ (OR\ REPLACE\ )?(TABLE|MATERIALIZED|VIEW|TEMP|UNLOGGED|UNIQUE|INDEX|SCHEMA|ROLE|USER|
        DATABASE|EXTENSION|FUNCTION|TYPE|SEQUENCE|TRIGGER|DEFAULT)
    |\bWITH\ (RECURSIVE\ )?\S+\ AS\ (NOT\ )?(MATERIALIZED\ )?\(
    |\b(WHERE|RETURNING|JOIN)\s|\bORDER\ BY\b|\bGROUP\ BY\b|\bON\ CONFLICT\b|\bIS\ (NOT\ )?NULL\b|\bCASE\ WHEN\b
    |=\ ANY\(|\bROLE\ \{\}""",
    re.VERBOSE,
)
MECHANISMS = ("f-string", "percent", "format", "concatenation")
TEXT_METHODS = {"format": "format", "format_map": "format", "replace": "concatenation", "join": "concatenation"}
TEXT_WRAPPERS = {"text", "SQL", "Template", "dedent"}
MESSAGES = {"debug", "info", "warning", "error", "exception", "critical", "log", "print", "add_argument"}

Values = dict[str, list[ast.expr]]
"""All that is assigned to a name, by name."""


class SqlBuilders(ast.NodeVisitor):
    """Finds the expressions of a module that build SQL; `constants` are values by dotted module name and name."""

    def __init__(self, module: Module, constants: dict[str, Values]) -> None:
        self.path, self.sites = module.path, list[Site]()
        self.scopes = [dict(constants[module.dotted])]
        self.modules: dict[str, Values] = {}
        self.composers = psycopg2_names(module.tree)
        for node in ast.walk(module.tree):
            for alias in node.names if isinstance(node, ast.ImportFrom) else []:
                source, name = node.module if isinstance(node, ast.ImportFrom) else "", alias.asname or alias.name
                self.modules[name] = constants.get(f"{source}.{alias.name}", {})
                if alias.name in constants.get(source or "", {}):
                    self.scopes[0].setdefault(name, constants[source or ""][alias.name])

    def generic_visit(self, node: ast.AST) -> None:
        """Record the node if it builds SQL, else look inside it, messages for people left out."""
        mechanism = "" if self.is_composition(node) else mechanism_of(node)
        if mechanism and isinstance(node, ast.expr | ast.stmt) and SQL.search(self.text(node)):
            self.sites.append(Site(self.path, node.lineno, mechanism))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self.scopes.append(assigned(ast.walk(node)))
            super().generic_visit(node)
            self.scopes.pop()
        elif not is_message(node):
            super().generic_visit(node)

    def is_composition(self, node: ast.AST) -> bool:
        """Return whether the node is psycopg2's `SQL("…").format(…)` or `.join(…)`, which quote what they put in.

        What is inside is looked at all the same, so that an f-string given to SQL() counts.
        """
        match node:
            case ast.Call(func=ast.Attribute(value=receiver, attr="format" | "join")):
                return self.is_template(receiver)
        return False

    def is_template(self, node: ast.AST) -> bool:
        """Return whether the node is psycopg2's `SQL(…)`, one of a dictionary of them, or a name of nothing else."""
        match node:
            case ast.Call(func=function):
                return ast.unparse(function) in self.composers
            case ast.IfExp(body=first, orelse=second):
                return self.is_template(first) and self.is_template(second)
            case ast.Subscript(value=table):
                return self.is_template(table)
            case ast.Dict(values=templates):
                return bool(templates) and all(map(self.is_template, templates))
            case ast.Name(id=name):
                values = next((scope[name] for scope in reversed(self.scopes) if name in scope), [])
                return bool(values) and all(not isinstance(v, ast.Name) and self.is_template(v) for v in values)
        return False

    def text(self, node: ast.AST, names: frozenset[str] = frozenset()) -> str:
        """Return the constant text of an expression, with {} where a value comes in; `names` were followed before."""
        match node:
            case ast.Constant(value=str(value)):
                return value
            case ast.Name(id=name) if name not in names:
                names |= {name}
                parts = next((scope[name] for scope in reversed(self.scopes) if name in scope), [])
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if name in self.modules.get(owner, {}):
                names |= {name}
                parts = self.modules[owner][name]
            case _:
                parts = parts_of(node)
        return "".join(self.text(part, names) for part in parts) or "{}"


def psycopg2_names(tree: ast.Module) -> set[str]:
    """Return the names by which a module calls psycopg2's class SQL."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="psycopg2.sql", names=aliases):
                names |= {alias.asname or alias.name for alias in aliases if alias.name == "SQL"}
            case ast.ImportFrom(module="psycopg2", names=aliases):
                names |= {f"{alias.asname or alias.name}.SQL" for alias in aliases if alias.name == "sql"}
    return names


def parts_of(node: ast.AST) -> list[ast.expr]:
    """Return the expressions that a text is put together from, none if it isn't."""
    match node:
        case ast.JoinedStr(values=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Dict(values=parts):
            return parts
        case (ast.FormattedValue(value=part) | ast.AugAssign(value=part) | ast.Subscript(value=part)) | (
            ast.GeneratorExp(elt=part) | ast.ListComp(elt=part) | ast.BinOp(left=part, op=ast.Mod())
        ):
            return [part]
        case ast.BinOp(left=first, op=ast.Add(), right=second) | ast.IfExp(body=first, orelse=second):
            return [first, second]
        case ast.Call(func=ast.Attribute(value=receiver, attr=method), args=args) if method in TEXT_METHODS:
            return [receiver, *args]
        case ast.Call(args=[first, *_]) if called(node) in TEXT_WRAPPERS:
            return [first]
    return []


def mechanism_of(node: ast.AST) -> str:
    """Return how the node puts text together, "" if it doesn't."""
    match node:
        case ast.JoinedStr(values=parts) if any(isinstance(part, ast.FormattedValue) for part in parts):
            return "f-string"
        case ast.BinOp(op=ast.Mod()):
            return "percent"
        case ast.BinOp(op=ast.Add()) | ast.AugAssign(op=ast.Add()):
            return "concatenation"
        case ast.Call(func=ast.Attribute(attr=method)):
            return TEXT_METHODS.get(method, "")
    return ""


def is_message(node: ast.AST) -> bool:
    """Return whether the text inside the node is for people: an error, a log line, a help text."""
    is_help = isinstance(node, ast.keyword) and node.arg in HELPS
    return is_help or isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and called(node) in MESSAGES)


def called(node: ast.Call) -> str:
    """Return the last name of what is called."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return str(name)


def assigned(nodes: Iterable[ast.AST]) -> Values:
    """Return the values that the assignments among `nodes` give to plain names."""
    values: Values = {}
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                values.setdefault(name, []).append(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                values.setdefault(name, []).append(value)
    return values


def sql_sites(modules: Sequence[Module]) -> list[Site]:
    """List the expressions of `modules` that build Postgres SQL, with the mechanism; follow constants across files."""
    constants = {m.dotted: assigned(m.tree.body) for m in modules}
    sites: list[Site] = []
    for module in modules:
        if not module.path.startswith(tuple(SPARK_SQL)):
            builders = SqlBuilders(module, constants)
            builders.visit(module.tree)
            sites += builders.sites
    return sites
