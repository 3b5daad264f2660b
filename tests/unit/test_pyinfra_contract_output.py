"""What ``pyinfra_adapter`` takes for granted of pyinfra's output: a newer pyinfra that differs fails here first."""

from __future__ import annotations

import inspect
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra import logger
from pyinfra.api import BaseStateCallback, Host, State, operations
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.operation import OperationMeta
from pyinfra_cli import cli, log, main, prints

from pyinfra_adapter import quiet, remark, verdict, watch
from tests.unit.converge import new_state

MAIN = inspect.getsource(cli._main)


def test_pyinfra_calls_what_is_replaced_by_its_name_in_the_module() -> None:
    """In the order and with the arguments that are expected."""
    calls = [
        "_handle_commands(",
        "print_meta(state)",
        "click.echo(",
        "if dry:",
        '_do_confirm("Detected changes displayed above, skip this step with -y")',
        "run_ops(state, serial=serial, no_wait=no_wait)",
        "print_results(state)",
    ]
    places = [MAIN.index(call) for call in calls]
    assert places == sorted(places)
    for name in ("click", "run_ops", "print_meta", "print_results", "_do_confirm", "_handle_commands"):
        assert hasattr(cli, name)
    assert list(inspect.signature(operations.run_ops).parameters) == ["state", "serial", "no_wait"]
    for function in (prints.print_meta, prints.print_results):
        assert list(inspect.signature(function).parameters) == ["state"]


def test_the_plan_is_printed_before_the_remark_and_not_with_y() -> None:
    assert MAIN.count(remark.REMARK) == 1
    assert MAIN.index("if yes:\n            logger.info") < MAIN.index("print_meta(state)") < MAIN.index(remark.REMARK)


def test_the_configuration_is_read_before_anything_else_is_printed() -> None:
    """So only "Loading config" comes before what ``config.py`` puts in place; the log is set up by then."""
    assert MAIN.index("_setup_log_level(") < MAIN.index("_set_config(") < MAIN.index("Loading inventory")
    assert "exec_file(config_filename)" in inspect.getsource(cli._set_config)
    assert "logger.addHandler(handler)" in inspect.getsource(log.setup_logging)


def test_sentences_of_its_own_say_no_reason() -> None:
    inventory, state = new_state(["@fake/data", "@fake/cache"])
    for host in inventory:
        state.activate_host(host)
    state.config.FAIL_PERCENT = 0
    for host in inventory:
        with pytest.raises(PyinfraError) as error:
            state.fail_hosts({host})
        assert str(error.value).startswith(verdict._ITS_OWN)


def test_the_command_line_has_the_options_that_are_asked_for() -> None:
    known = {parameter.name for parameter in cli.cli.params}
    assert known >= {*verdict._LOUD, "dry", "yes", "json_output", "inventory", "operations"}
    assert known >= {
        "data",
        "limit",
        "exclude",
        "group_data",
        "chdir",
        "config_filename",
        "ssh_user",
        "ssh_port",
        "ssh_key",
    }


def test_what_operations_say_can_be_told_from_pyinfras_own_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    records: list[logging.LogRecord] = []
    keep = SimpleNamespace(handle=records.append, level=0)
    monkeypatch.setattr(logger, "handlers", [keep])
    monkeypatch.setattr(logger, "level", logging.INFO)
    monkeypatch.setattr(logger, "_cache", {})  # what it knows of another level
    inventory, _ = new_state(["@fake/data"])
    host = inventory.get_host("@fake/data")
    host.log("said by an operation")
    host.log_styled("so is this", fg="red")
    logger.info("and %s", "this")
    host.connect()
    assert [quiet._ours(record) for record in records] == [True, True, True, False]
    texts = [quiet._text(record, host) for record in records]
    assert texts == ["said by an operation", "so is this", "and this", "Connected"]


def test_errors_of_operations_and_facts_end_with_a_summary() -> None:
    source = inspect.getsource(operations._run_host_op)
    assert 'f"executed {executed_commands} commands"' in source
    assert quiet._SUMMARY.match("Error: executed 2 commands")
    from pyinfra.api import facts

    assert "could not load fact: " in inspect.getsource(facts) and quiet._SUMMARY.match("Error: could not load fact: x")


def test_a_run_calls_back_as_it_goes_on() -> None:
    """A ``Watch`` has each of these; the end of an operation on a host comes before its outcome is known."""
    for name in ("operation_host_start", "operation_host_success", "operation_host_error", "operation_end"):
        assert hasattr(BaseStateCallback, name) and name in vars(watch.Watch)
    source = inspect.getsource(operations._run_host_op)
    assert source.index('"operation_host_success"') < source.index("set_complete(")
    assert '"operation_end"' not in inspect.getsource(operations._run_host_ops)  # with --serial and --no-wait
    assert {"is_complete", "did_change", "did_error", "stdout_lines"} <= set(dir(OperationMeta))
    annotations: Any = vars(OperationMeta)["__annotations__"]
    assert "_maybe_is_change" in annotations
    inventory, state = new_state(["@fake/data"])
    host = inventory.get_host("@fake/data")
    assert isinstance(host, Host) and isinstance(state, State)
    assert host.connector_data == {} and host.current_op_hash is None and host.executing_op_hash is None


def test_ctrl_c_is_taken_before_the_configuration_is_read() -> None:
    source = inspect.getsource(main.main)
    assert source.index("signal.signal(signal.SIGINT, _handle_interrupt)") < source.index("    cli()")
    assert "disconnect_all(state)" in inspect.getsource(cli.cli.callback)
    _, state = new_state(["@fake/data"])
    assert callable(state.pool.kill) and callable(state.fact_pool.kill)
