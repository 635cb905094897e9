"""`${NAME}` in a file: what it becomes, and what is said when it cannot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.conftest import WriteConfig
from ubiops_file_sync.config.variables import expand

MINIMAL = "profiles:\n  models:\n    local_dir: /srv/models\n    project: my-project\n"


@pytest.mark.parametrize(
    ("text", "env", "expected"),
    [
        ("${A}", {"A": "x"}, "x"),
        ("a${A}b${B}c", {"A": "1", "B": "2"}, "a1b2c"),
        ("${A}", {"A": ""}, ""),
        ("${A:-d}", {}, "d"),
        ("${A:-d}", {"A": ""}, "d"),
        ("${A:-d}", {"A": "x"}, "x"),
        ("${A:-}", {}, ""),
        ("${A:-a:-b/c d}", {}, "a:-b/c d"),
        ("$${A}", {"A": "x"}, "${A}"),
        ("$${A:-${A}}", {"A": "x"}, "${A:-x}"),
        ("$A $$ $", {"A": "x"}, "$A $$ $"),
        ("${A}", {"A": "${B}", "B": "x"}, "${B}"),
    ],
)
def test_references_become_values(text: str, env: dict[str, str], expected: str) -> None:
    assert expand(text, env) == expected


@pytest.mark.parametrize("text", ["${", "${}", "${A", "${1A}", "${A-b}", "${A:-${B}}", "${A b}"])
def test_a_reference_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write \$\$\{ for a literal"):
        expand(text, {"A": "x", "B": "y"})


@given(st.text())
def test_text_without_a_reference_is_left_alone(text: str) -> None:
    if "${" not in text:
        assert expand(text, {}) == text


@given(st.text().filter(lambda text: "$" not in text))
def test_an_escaped_reference_is_literal_whatever_it_holds(text: str) -> None:
    assert expand("$${" + text, {}) == "${" + text


def test_a_plain_scalar_is_typed_after_expansion_and_a_quoted_one_is_text(
    write_config: WriteConfig,
) -> None:
    env = {"W": "4", "NAME": "2024"}
    file = write_config(f"{MINIMAL}    workers: ${{W}}\n    bucket: '${{NAME}}'\n")
    models = file.load(env).profiles["models"]
    assert (models.workers, models.bucket) == (4, "2024")


def test_a_plain_scalar_that_becomes_a_number_wants_quotes_where_text_is_due(
    write_config: WriteConfig,
) -> None:
    [line] = write_config(f"{MINIMAL}    bucket: ${{NAME}}\n").refusal({"NAME": "2024"})
    assert line == "FILE:5: profiles.models.bucket: is a number to YAML; put it in quotes"


def test_a_reference_to_nothing_is_empty_text(write_config: WriteConfig) -> None:
    file = write_config(f"{MINIMAL}    bucket_dir: ${{DIR:-}}\n")
    assert file.load().profiles["models"].bucket_dir == ""
    assert file.load({"DIR": "a"}).profiles["models"].bucket_dir == "a"


def test_a_value_is_never_read_as_yaml(write_config: WriteConfig) -> None:
    file = write_config(f"{MINIMAL}    bucket: ${{NAME}}\n")
    models = file.load({"NAME": "x, workers: 64"}).profiles["models"]
    assert (models.bucket, models.workers) == ("x, workers: 64", 16)


def test_missing_variables_are_named_with_their_lines_and_nothing_else_is_said(
    write_config: WriteConfig,
) -> None:
    lines = write_config(
        "timezone: ${ZONE}\n"
        "profiles:\n"
        "  models:\n"
        "    local_dir: ${ROOT}/${SUB}\n"
        "    project: p\n"
        "    workers: ${W}\n"
    ).refusal()
    rest = "from the environment, unset now; set it, or give a default as in"
    assert lines == [
        f"FILE:1: timezone: needs $ZONE {rest} ${{ZONE:-default}}",
        f"FILE:4: profiles.models.local_dir: needs $ROOT, $SUB {rest} ${{ROOT:-default}}",
        f"FILE:6: profiles.models.workers: needs $W {rest} ${{W:-default}}",
    ]


def test_profiles_that_hang_on_a_missing_variable_are_not_called_missing(
    write_config: WriteConfig,
) -> None:
    [line] = write_config("profiles: ${P}\n").refusal()
    assert "needs $P from the environment" in line
