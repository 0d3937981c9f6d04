"""No test waits for a process or a thread without a limit: one did, for half an hour."""

import ast
from pathlib import Path

TESTS = Path(__file__).parent

_LIMITED = {"communicate", "check_output", "check_call"}
_OWNERS = ("process", "child", "worker", "writer", "thread")


def endless(source):
    """The lines in which something is waited for without a time limit."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        called = node.func.attr
        if called not in (*_LIMITED, "run", "wait", "join"):
            continue
        owner = ast.unparse(node.func.value)  # which takes its time
        waits = called in _LIMITED or (called == "run" and owner == "subprocess")
        waits |= called in ("wait", "join") and owner.split(".")[-1] in (
            "process",
            "child",
            "thread",
        )
        has_limit = any(keyword.arg in ("timeout", None) for keyword in node.keywords)
        if waits and not has_limit and not (called in ("wait", "join") and node.args):
            yield node.lineno


def test_every_wait_has_a_limit():
    found = [
        f"{path.relative_to(TESTS)}:{line}"
        for path in sorted(TESTS.rglob("*.py"))
        for line in endless(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_a_wait_without_a_limit_is_found():
    source = """
process.wait()
process.wait(timeout=3)
subprocess.run(["a"])
subprocess.run(["a"], timeout=3)
subprocess.run(["a"], **options)
process.communicate()
thread.join()
", ".join(names)
"""
    assert list(endless(source)) == [2, 4, 7, 8]
