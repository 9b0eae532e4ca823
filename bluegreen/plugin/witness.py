"""Sees each test run, so that a pass counts only where something was proven.

pytest calls a test passed when nothing was raised where pytest looked. A test whose loop had nothing to go over, that
returns what it should have asserted, that was tried until it passed, or whose failure somebody's hook swallowed, is
passed too. The witness notes what happened (which assertions were reached, whether anything was asked, what was raised)
and puts onto the report why a pass is none, in words; the report of a test that no witness saw counts for nothing.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from bluegreen.plugin.assertions import Assertion, functions_of

SEEN = "bluegreen_seen"  # attribute of a report: a witness saw the test
UNPROVEN = "bluegreen_unproven"  # attribute of a report: why its pass proves nothing
TRIED_AGAIN = "it passed only when it was tried again"

ASKING = frozenset(
    {
        "httpx._client.Client.send",
        "httpx._client.AsyncClient.send",
        "http.client.HTTPConnection.putrequest",
        "socket.create_connection",
        "asyncio.streams.open_connection",
        "subprocess.Popen.__init__",
        "bluegreen.kube.reading.Reader.get",
        "bluegreen.kube.reading.Reader.list_at",
        "bluegreen.kube.reading.Reader.wait",
        "bluegreen.kube.reading.Reader.raw",
    }
)
"""Functions that ask something outside of the test: somebody who asserts nothing himself may still have had it checked
by whom he asked, as the clients ``candidate`` and ``live`` check each answer."""

ASSERTING = frozenset({"bluegreen.gate.check.require"})


@dataclass
class Seen:
    """What was seen of one test, over all attempts at it."""

    code: CodeType | None  # the test's own function; None for tests that are no Python functions
    own: tuple[Assertion, ...] = ()  # the assertions that its source has
    traced: bool = False
    began: bool = False
    returned: bool = False  # a value, which pytest ignores
    reached: bool = False  # any assertion of the suite, or a check of the gate
    asked: bool = False
    attempts: int = 0
    raised: list[str] = field(default_factory=list)


def unproven(seen: Seen) -> str:
    """Why a pass of this test is none; empty when it is one. Pure."""
    if seen.raised and seen.attempts > 1:
        return f"{TRIED_AGAIN}; at first: {seen.raised[0]}"
    if seen.raised:
        return f"it was reported as passed, and it raised {seen.raised[0]}"
    if not seen.traced or seen.code is None:
        return ""
    if not seen.began:
        return "it was reported as passed, and its function was never called"
    if seen.returned:
        return "it returned a value, which nobody looks at: use assert"
    if seen.reached:
        return ""
    if seen.own:
        lines = ", ".join(str(one.first) for one in seen.own)
        return f"none of its assertions was reached (line{'s' if len(seen.own) > 1 else ''} {lines})"
    return "" if seen.asked else "it asserted nothing and asked nobody"


class Witness:
    """Registered in every process that runs tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._functions: dict[str, dict[int, tuple[Assertion, ...]]] = {}  # by file, by first line
        self._lines: dict[str, frozenset[int]] = {}  # by file: every line that asserts
        self._kinds: dict[CodeType, str] = {}
        self._seen = pytest.StashKey[Seen]()
        self._now = Seen(None)

    # -- pytest's hooks ---------------------------------------------------------------------------------------------
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Assertions of the suite's fixtures count; what this harness' own fixtures ask does not."""
        seen = self._of(item)
        asked = seen.asked
        try:
            with self._watching(seen):
                return (yield)
        except Exception as error:
            seen.raised.append(_said(error))
            raise
        finally:
            seen.asked = asked

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """One attempt at the test."""
        seen = self._of(item)
        seen.attempts += 1
        with self._watching(seen):
            try:
                return (yield)
            except BaseException as error:
                seen.raised.append(_said(error))
                raise

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """The innermost place: what is raised here and swallowed further out was raised all the same."""
        try:
            return (yield)
        except BaseException as error:
            self._of(pyfuncitem).raised.append(_said(error))
            raise

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put what was seen onto the report, whatever it says."""
        report = yield
        if call.when == "call":
            seen = self._of(item)
            if call.excinfo is not None and not seen.raised:  # unittest's tests raise nothing through pytest's hooks
                seen.raised.append(_said(call.excinfo.value))
            setattr(report, SEEN, True)
            setattr(report, UNPROVEN, unproven(seen))
        return report

    # -- watching ---------------------------------------------------------------------------------------------------
    def _of(self, item: pytest.Item) -> Seen:
        if self._seen not in item.stash:
            code = _code_of(item)
            own = self._of_file(code.co_filename).get(code.co_firstlineno, ()) if code else ()
            item.stash[self._seen] = Seen(code, own)
        return item.stash[self._seen]

    @contextmanager
    def _watching(self, seen: Seen) -> Iterator[None]:
        """Trace the suite's lines in this thread and in those that begin now, unless a debugger or coverage does."""
        if sys.gettrace() is not None:
            yield
            return
        self._now, seen.traced = seen, True
        threads = threading.gettrace()
        threading.settrace(self._enter)
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(None)
            threading.settrace(threads)  # None is what it was, and what it may be

    def _enter(self, frame: FrameType, _event: str, _arg: Any) -> Any:
        code = frame.f_code
        kind = self._kinds.get(code)
        if kind is None:
            kind = self._kinds[code] = self._kind(frame)
        if kind == "suite" or code is self._now.code:
            self._now.began = self._now.began or code is self._now.code
            return self._line
        self._now.asked = self._now.asked or kind == "asking"
        self._now.reached = self._now.reached or kind == "asserting"
        return None

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        code = frame.f_code
        if event == "line" and frame.f_lineno in self._asserting_lines(code.co_filename):
            self._now.reached = True
        elif event == "return" and code is self._now.code and arg is not None and not code.co_flags & _GENERATES:
            self._now.returned = True
        return self._line

    def _kind(self, frame: FrameType) -> str:
        name = f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}"
        if name in ASKING:
            return "asking"
        if name in ASSERTING:
            return "asserting"
        return "suite" if frame.f_code.co_filename.startswith(self._folder) else "other"

    # -- sources ----------------------------------------------------------------------------------------------------
    def _of_file(self, file: str) -> dict[int, tuple[Assertion, ...]]:
        if file not in self._functions:
            try:
                source = Path(file).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                source = ""
            self._functions[file] = {one.line: one.assertions for one in functions_of(source)}
        return self._functions[file]

    def _asserting_lines(self, file: str) -> frozenset[int]:
        if file not in self._lines:
            found = [one for assertions in self._of_file(file).values() for one in assertions]
            self._lines[file] = frozenset(n for one in found for n in range(one.first, one.last + 1))
        return self._lines[file]


_GENERATES = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def _code_of(item: pytest.Item) -> CodeType | None:
    """The code of the function that a test consists of, below its decorators."""
    function = getattr(item, "obj", None)
    function = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    if not callable(function):
        return None
    function = inspect.unwrap(function)
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return code if isinstance(code, CodeType) else None


def _said(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
