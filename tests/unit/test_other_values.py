"""No setting is forgotten by the tests that change all of them on deployed hosts."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from tests.lab.harness import other_values, setting_steps
from tests.lab.harness.other_values import OTHER, OTHER_DCOR, OTHER_EXTERNAL, OTHER_MINIO, SECRETS


def _only_one_value(annotation: Any) -> bool:
    return get_origin(annotation) is Literal and len(get_args(annotation)) == 1


def test_each_setting_has_another_value() -> None:
    of_dcor = {*OTHER_DCOR, *OTHER_MINIO, *OTHER_EXTERNAL, *other_values.SECRETS_MINIO, *other_values.SECRETS_EXTERNAL}
    by_other_tests = {
        *other_values.STOPS,
        *other_values.PROXY,
        *other_values.PACKAGE,
        *other_values.APART,
        *other_values.DEVELOP,
        *other_values.FLAVOUR,
    }
    known = {*OTHER, *SECRETS, *of_dcor, *by_other_tests}
    changeable = {name for name, kind in other_values.configurable().items() if not _only_one_value(kind)}
    assert changeable - known == set(), "settings without another value"
    assert known - changeable == set(), "values of what is no setting"
    assert set(OTHER) >= other_values.SILENT - set(SECRETS)


def test_each_of_them_is_in_a_batch() -> None:
    def covered(batches: list[setting_steps.Step]) -> set[str]:
        return {name for step in batches for name in (*step.data, *step.secrets)}

    assert covered(setting_steps.batches(OTHER)) == {*OTHER, *SECRETS}
    of_dcor = covered(setting_steps.dcor_batches({}))
    assert of_dcor >= {*OTHER_DCOR, *OTHER_MINIO, *OTHER_EXTERNAL}
    assert of_dcor >= {*other_values.SECRETS_MINIO, *other_values.SECRETS_EXTERNAL}


def test_each_of_them_is_changed_alone() -> None:
    single = [name for step in setting_steps.singles(OTHER) for name in (*step.data, *step.secrets)]
    assert {*OTHER, *SECRETS} == set(single)
