"""Licence, dependencies, hooks and workflow: what people and services read of this project before its code."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest
import sentiment
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
APACHE_2_SHA256 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
"""Of the text that the Apache Software Foundation publishes, appendix included."""
MARKDOWN = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]


def test_licence_is_the_standard_text() -> None:
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2_SHA256
    assert PROJECT["license"] == "Apache-2.0"


def test_notice_names_every_bundled_model() -> None:
    notice = (ROOT / "NOTICE").read_text("utf-8")
    models = [path.parent.name for path in (ROOT / "include/sentiment/scoring/bundled").glob("*/model.onnx")]
    assert models
    assert [name for name in models if name not in notice] == []


def test_image_copies_what_the_build_reads() -> None:
    dockerfile = (ROOT / "docker/Dockerfile").read_text("utf-8")
    copied = " ".join(re.findall(r"^COPY (.*) \S+$", dockerfile, re.MULTILINE)).split()
    assert {PROJECT["readme"], *PROJECT["license-files"], "pyproject.toml"} <= set(copied)


def test_package_is_marked_as_typed() -> None:
    assert (Path(sentiment.__file__).parent / "py.typed").exists()


def test_chosen_versions_stand_in_pyproject_and_in_the_lock() -> None:
    lines = (ROOT / "requirements.in").read_text("utf-8").splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == ["."]
    pins = {re.sub(r"\[.*\]", "", pin) for pin in PROJECT["dependencies"] if "==" in pin}
    locked = set(re.findall(r"^(\S+==\S+)", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE))
    assert {re.sub(r"\[.*\]", "", pin) for pin in locked} >= pins


def test_workflow_runs_the_ci_script() -> None:
    (job,) = yaml.safe_load((ROOT / ".github/workflows/ci.yaml").read_text("utf-8"))["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert [use for use in used if not re.fullmatch(r"actions/(checkout|setup-python|upload-artifact)@v\d+", use)] == []


def test_hooks_are_local() -> None:
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    assert repo["repo"] == "local"
    assert {hook["language"] for hook in repo["hooks"]} == {"system"}


@pytest.mark.parametrize("page", MARKDOWN)
def test_links_lead_to_files(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / page).read_text("utf-8"))
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


@pytest.mark.parametrize("page", MARKDOWN)
def test_make_targets_exist(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"(?:^|`)make ([a-z][\w-]*)", (ROOT / page).read_text("utf-8"), re.MULTILINE))
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_a_module_s_tests_are_on_one_worker(request: pytest.FixtureRequest) -> None:
    """Where they are not, every worker makes each module's database, and the published night, of its own."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@tests/test_project_files.py")


def test_no_two_test_modules_have_one_name() -> None:
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, n in names.items() if n > 1] == []  # pytest refuses to collect the second
