"""The documents say what the code does: links, settings, commands, examples, tables."""

import ast
import json
import pkgutil
import re
import shlex
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click
import pytest
from prometheus_client import Counter, Gauge, Histogram
from support.imports import imported

from beat_schedule import BEAT_SCHEDULE
from models.tables import METADATA
from tierkeeper.audit.lines import record
from tierkeeper.base import metrics
from tierkeeper.base.errors import SettingInvalid
from tierkeeper.base.ids import new_id
from tierkeeper.base.states import ArtifactState, Outcome, PlacementState, RunState, Temperature, WriteStrategy
from tierkeeper.cli.main import COMMANDS, cli
from tierkeeper.cli.support.groups import VerbedCommand
from tierkeeper.policy import document
from tierkeeper.policy.tiers import TierInfo
from tierkeeper.settings.settings import TierSettings, effective, load
from tierkeeper.stores import factory
from tierkeeper.stores.base import Store
from tierkeeper.stores.errors import BadTierUrl
from tierkeeper.values.events import EventView
from tierkeeper_client.contract import QUEUE_OF, VERB_ARGS, TaskName

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), ROOT / "client" / "README.md", *(ROOT / "docs").rglob("*.md")])
REFERENCE = ROOT / "docs" / "reference"
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
VARIABLE = re.compile(r"\b(?:TIERKEEPER|STORAGE)_(?:_?[A-Z0-9]+)+")
ELSEWHERE = {"TIERKEEPER_CONFIG", "TIERKEEPER_TENANT"}
CONNECTORS = {"|", "||", "&&", ";", ">", ">>", "<"}
TIERS = [
    TierInfo("hot", Temperature.HOT, 0),
    TierInfo("records", Temperature.HOT, 1, is_database=True),
    TierInfo("warm", Temperature.WARM, 2),
    TierInfo("cold", Temperature.COLD, 3, can_lock=True),
]
WORDS = {
    "artifact",
    "blob",
    "tier",
    "store",
    "placement",
    "policy",
    "phase",
    "retention",
    "hold",
    "converge",
    "schedule",
    "sweep",
    "run",
    "plan",
    "collect",
    "reconcile",
    "event",
    "catalog",
    "promote",
    "archive",
    "restore",
    "purge",
    "undelete",
    "record",
    "tenant",
    "staging",
    "command",
    "lease",
    "park",
}


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Every fenced block of ``language``, with the document it stands in."""
    for path in DOCUMENTS:
        for indent, found, text in FENCE.findall(path.read_text()):
            if found == language:
                yield str(path.relative_to(ROOT)), "\n".join(line.removeprefix(indent) for line in text.splitlines())


def rows(path: Path) -> list[list[str]]:
    """The cells of every table row in a document."""
    lines = [line for line in path.read_text().splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def code(text: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    plain = (re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", h)).lower() for h in HEADING.findall(path.read_text()))
    return {heading.strip().replace(" ", "-") for heading in plain}


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command line in the documents that calls ``tierkeeper``, in words."""
    for where, text in blocks("sh"):
        for line in text.replace("\\\n", " ").splitlines():
            if not re.match(r"(\w+=\S+ )*tierkeeper ", line):
                continue
            words = shlex.split(line, comments=True)
            words = words[words.index("tierkeeper") + 1 :]
            yield where, words[: next((i for i, w in enumerate(words) if w in CONNECTORS), len(words))]


def unknown(group: click.Command, words: list[str]) -> list[str]:
    """Return the words that are no command or no option of ``group`` and of what is below it."""
    context = click.Context(group, help_option_names=["-h", "--help"])  # click keeps the first help option
    if isinstance(group, VerbedCommand) and words[:1] and words[0] in group.verbs:
        return unknown(group.verbs[words[0]], words[1:])
    takes = {name: p for p in group.get_params(context) for name in [*p.opts, *p.secondary_opts]}
    wrong: list[str] = []
    values = 0
    for at, word in enumerate(words):
        if values:
            values -= 1
        elif word.startswith("-") and word != "-":
            option = takes.get(word.partition("=")[0])
            if not isinstance(option, click.Option):
                wrong.append(word)
            elif "=" not in word and not (option.is_flag or option.count):
                values = option.nargs
        elif isinstance(group, click.Group):
            below = group.get_command(context, word)
            return [*wrong, word] if below is None else wrong + unknown(below, words[at + 1 :])
    return wrong


def settings_table(path: Path) -> dict[str, str]:
    """The settings that a document's tables give, with their defaults."""
    found = [row for row in rows(path) if re.fullmatch(r"`[a-z_]+(\.[a-z_]+)*`", row[0]) and len(row) == 3]
    known = {name.partition(".")[0] for name in type(load(environ={})).model_fields}
    return {code(r[0])[0]: "".join(code(r[1])) for r in found if code(r[0])[0].partition(".")[0] in known}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    """Every relative link names a file that is there, and a heading that is in it."""
    for link in LINK.findall(FENCE.sub("", path.read_text())):
        if link.startswith(("https://", "http://")):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), link
        assert not anchor or anchor in anchors(file), link


@pytest.mark.parametrize("path", [ROOT / "README.md", REFERENCE / "settings.md"], ids=["README", "reference"])
def test_settings_are_documented_with_their_defaults(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table has every setting and no other, each with the default that is in effect."""
    monkeypatch.chdir(tmp_path)
    defaults = {
        row.name: row.value.replace(str(tmp_path), "…")
        for row in effective(load(environ={}))
        if not row.name.startswith("AWS_")
    }
    assert settings_table(path) == defaults


def test_variables_in_the_documents_are_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every TIERKEEPER_ and STORAGE__ name that a document mentions is a setting."""
    monkeypatch.chdir(tmp_path)
    names = {name for path in DOCUMENTS for name in VARIABLE.findall(path.read_text())} - ELSEWHERE
    assert len(names) > 20
    for name in names:
        if name.endswith("__OPTIONS") or name == "TIERKEEPER_TIERS":
            continue  # the beginning of a name with a placeholder behind it
        try:
            load(environ={name: "{}"})
        except SettingInvalid as error:
            assert "no such setting" not in str(error), name  # noqa: PT017  most are refused for their value


@pytest.mark.parametrize(("section", "url"), [("Folders", "file:///x"), ("S3", "s3://b")])
def test_options_of_tiers_are_documented(section: str, url: str) -> None:
    """The table of a kind of tier has every option that the adapter knows, and no other."""
    text = (REFERENCE / "settings.md").read_text().split(f"### {section}\n")[1].split("\n#")[0]
    documented = {name for line in text.splitlines() if line.startswith("| `") for name in code(line.split("|")[1])}
    settings = TierSettings(url=url, temperature=Temperature.HOT, options={"nonsense": "1"})
    with pytest.raises(BadTierUrl, match="nonsense") as refused:
        factory.make("hot", settings, io_threads=1, catalog_url=None)
    assert documented == set(str(refused.value).split("Known are: ")[1].rstrip(".").split(", "))


def test_commands_in_the_documents_exist() -> None:
    """Every command line in a document has a command and options that are there."""
    found = list(commands())
    assert len(found) > 50
    wrong = [f"{where}: tierkeeper {' '.join(w)}: {u}" for where, w in found if (u := unknown(cli, w))]
    assert wrong == []


def test_the_readme_has_every_command() -> None:
    """The README's overview of the command line names each command once."""
    table = (ROOT / "README.md").read_text().split("## The command line")[1].split("\n## ")[0]
    named = [name for line in table.splitlines() if line.startswith("| `") for name in code(line.split("|")[1])]
    assert sorted(named) == sorted(COMMANDS)


def test_policies_in_the_documents_can_be_applied() -> None:
    """Every example of a policy is valid on hot, records, warm and a cold tier that can lock."""
    examples = [(where, text) for where, text in blocks("yaml") if "phases:" in text]
    assert len(examples) > 5
    for where, text in examples:
        assert document.parse(text, source=where, tiers=TIERS)
    heredocs = [
        found
        for _, text in blocks("sh")
        for found in re.findall(r"<<'END'\n(.*?)\nEND$", text, re.DOTALL | re.MULTILINE)
    ]
    assert all(document.parse(text, source="a here-document", tiers=TIERS) for text in heredocs)


def test_other_examples_are_well_formed() -> None:
    """Python examples compile and import what is there; JSON and TOML can be read."""
    for where, text in blocks("python"):
        for name in imported(ast.parse(text, filename=where)):
            assert pkgutil.resolve_name(name), (where, name)
    assert all(json.loads(text) for _, text in blocks("json"))
    assert all(tomllib.loads(text) for _, text in blocks("toml"))


def test_the_glossary_has_the_words() -> None:
    """The glossary has every word of the idea, and every state and no other."""
    path = ROOT / "docs" / "explanation" / "glossary.md"
    bold = {word for row in rows(path) for word in re.findall(r"\*\*(\w+)\*\*", row[0])}
    assert bold >= WORDS
    states = {row[0]: code(row[1]) for row in rows(path) if row[0].startswith(("a ", "an "))}
    kinds = {"an artifact": ArtifactState, "a placement": PlacementState, "an outcome": Outcome, "a run": RunState}
    assert {name: set(found) for name, found in states.items()} == {n: {s.value for s in k} for n, k in kinds.items()}
    assert {strategy.value for strategy in WriteStrategy} <= set(code(path.read_text()))


def test_tasks_are_documented() -> None:
    """The reference has every task with its queue, every verb with its arguments, and what Beat sends."""
    found = {code(row[0])[0]: row for row in rows(REFERENCE / "tasks.md") if row[0].startswith("`tierkeeper.")}
    assert {name: code(row[1])[0] for name, row in found.items()} == {str(t): str(q) for t, q in QUEUE_OF.items()}
    for task, model in VERB_ARGS.items():
        assert set(model.model_fields) == {n for n in code(found[str(task)][2]) if "." not in n}, task
    sent = {name for name, row in found.items() if TaskName(name) not in VERB_ARGS and row[3]}
    assert sent == {entry["task"] for entry in BEAT_SCHEDULE.values()}
    readme = {code(row[0])[0]: code(row[1]) for row in rows(ROOT / "README.md") if "`tierkeeper." in row[1]}
    assert {task: queue for queue, tasks in readme.items() for task in tasks} == {
        str(t): q for t, q in QUEUE_OF.items()
    }
    client = {code(row[0])[0]: row for row in rows(ROOT / "client" / "README.md") if row[0].startswith("`tierkeeper.")}
    assert {name: code(row[1])[0] for name, row in client.items()} == {str(t): str(QUEUE_OF[t]) for t in VERB_ARGS}
    for task, model in VERB_ARGS.items():
        named = {n for n in code(client[str(task)][2]) if "." not in n}
        assert named == set(model.model_fields) - {"tenant", "workflow", "name"}, task


def test_event_fields_are_documented() -> None:
    """The reference has the fields of an exported line, and no other."""
    values: dict[str, Any] = dict.fromkeys(EventView.__dataclass_fields__)
    event = EventView(**{**values, "subject": new_id(), "at": datetime.now(UTC)})
    text = (REFERENCE / "events.md").read_text().split("## Types")[0]
    named = [name for line in text.splitlines() if line.startswith("| `") for name in code(line.split("|")[1])]
    assert sorted(named) == sorted(record(event))


def test_tables_are_documented() -> None:
    """The reference of the catalog has every table with every column, and no other; brackets say what is in one."""
    tables = [row for row in rows(REFERENCE / "catalog.md") if row[0].startswith("`")]
    found = {code(row[0])[0]: set(code(re.sub(r"\([^)]*\)", "", row[2]))) for row in tables}
    assert found == {name: {column.name for column in table.columns} for name, table in METADATA.tables.items()}


def test_the_architecture_has_the_tables() -> None:
    """Its table names the catalog's tables, but those that only name what is stored, or hold rules and uploads."""
    text = (ROOT / "ARCHITECTURE.md").read_text().split("## The tables")[1].split("\n## ")[0]
    named = {name for line in text.splitlines() if line.startswith("| `") for name in code(line.split("|")[1])}
    assert named == set(METADATA.tables) - {"tenants", "policies", "holds", "staging"}


def test_fields_of_policies_are_documented() -> None:
    """The table has every field that a policy may have, and no other; fields with parts are told by these too."""
    text = (REFERENCE / "policy-document.md").read_text().split("## Fields")[1].split("\n## ")[0]
    named = {code(line)[0].replace("[]", "") for line in text.splitlines() if line.startswith("| `")}
    source = ast.parse((ROOT / "tierkeeper" / "policy" / "document.py").read_text())
    constants = {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in source.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in {"_FIELDS", "_MATCH"}
    }
    parts = {"a policy": "", "match": "match.", "a phase": "phases.", "size": None}  # a size's are told beside it
    taken = set()
    for node in ast.walk(source):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "reader.fields":
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            what = ast.literal_eval(given["what"])
            known = constants.get(ast.unparse(given["known"])) or ast.literal_eval(given["known"])
            prefix = parts.get(what, f"{what}.")
            taken |= set() if prefix is None else {f"{prefix}{name}" for name in known}
    assert named | {"versions"} == taken


def test_metrics_are_documented() -> None:
    """The table has each metric with its labels, and no other."""
    text = (ROOT / "docs" / "how-to" / "health.md").read_text().split("## Metrics")[1].split("\n## ")[0]
    cells = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    made = [each for each in vars(metrics).values() if isinstance(each, Counter | Gauge | Histogram)]
    assert len(made) == len(list(metrics.REGISTRY.collect()))
    assert {code(row[1])[0]: code(row[2]) for row in cells} == {
        f"{each._name}{'_total' if isinstance(each, Counter) else ''}": list(each._labelnames) for each in made
    }


def test_documents_are_listed() -> None:
    """The list of documents leads to each of them; decisions and the client have lists of their own."""
    folder = ROOT / "docs"
    listed = {(folder / link.partition("#")[0]).resolve() for link in LINK.findall((folder / "README.md").read_text())}
    own = {path for path in DOCUMENTS if path.parent.name in {"decisions", "client"}}
    own |= {ROOT / "README.md", folder / "README.md"}
    assert not set(DOCUMENTS) - listed - own


def test_folders_of_tests_are_documented() -> None:
    """The contributors' table has every folder of tests, and no other."""
    named = {name for row in rows(ROOT / "CONTRIBUTING.md") for name in code(row[0]) if name.startswith("tests/")}
    assert named == {f"tests/{path.parent.name}/" for path in (ROOT / "tests").glob("*/*.py")}


def test_markers_are_documented() -> None:
    """The contributors' page has every marker that a test may carry; `faults` is given by the folder."""
    text = " ".join((ROOT / "CONTRIBUTING.md").read_text().split())
    sentence = re.search(r"Marker (.*?)\. ", text)
    assert sentence is not None
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    markers = {re.split(r"\W", marker)[0] for marker in options["markers"]}
    assert set(code(sentence.group())) == markers - {"faults"}


def test_the_checks_of_ci_are_documented() -> None:
    """The contributors' page says what `.ci/run` does."""
    sentence = re.search(r"`\.ci/run` does (.*?)\.\n", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    assert sentence is not None
    done = re.findall(r"^check ([\w-]+)", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert code(sentence.group(1)) == ["install", *(target for target in done if target != "test-pythons")]


def test_what_a_store_may_have_is_documented() -> None:
    """Whatever an adapter has beside the abstract methods of the port is named where a new one is explained."""
    text = (ROOT / "CONTRIBUTING.md").read_text().split("## Add a store")[1].split("Translate")[0]
    named = [name for name in code(text) if re.fullmatch(r"[a-z_]+", name)]
    port = {name for name in vars(Store) if not name.startswith("_")} - Store.__abstractmethods__
    adapters = [entry.load().__self__ for entry in entry_points(group="tierkeeper.stores")]
    assert len(adapters) == 3
    had = {name for adapter in adapters for name in vars(adapter)}
    assert sorted(named) == sorted(port & had - {"from_url", "check_url"})  # these two have a step of their own


def test_fault_scenarios_are_documented() -> None:
    """The page about reliability names every module of fault tests, but those of the proxy and of the model."""
    text = (ROOT / "docs" / "explanation" / "reliability.md").read_text()
    modules = {path.name for path in (ROOT / "tests" / "faults").glob("test_*.py")}
    assert modules - {name.rpartition("/")[2] for name in code(text)} == {"test_proxy.py", "test_protocol.py"}


def test_figures_are_documented() -> None:
    """The page about benchmarks has every figure that `make bench` runs, and each is a module; so is the soak."""
    figures = re.search(r"^BENCH \?= (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert figures is not None
    named = {code(row[0])[0] for row in rows(REFERENCE / "benchmarks.md") if row[0].startswith("`")}
    modules = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    others = {"__init__", "against", "report"}
    assert {*figures.group(1).split(), "soak"} == modules - others
    assert named >= modules - others


def test_rules_lead_to_the_code() -> None:
    """The architecture's table has every rule once, and the files and functions it names are there."""
    table = [row for row in rows(ROOT / "ARCHITECTURE.md") if re.fullmatch(r"R\d+", row[0])]
    assert [row[0] for row in table] == [f"R{number}" for number in (*range(1, 23), 33)]
    for rule, _, where in table:
        file = ROOT
        for name in code(where):
            if name.endswith(".py"):
                file = ROOT / "tierkeeper" / name
                assert file.exists(), (rule, name)
            else:
                assert f"def {name}(" in file.read_text(), (rule, name)


def test_rules_that_are_cited_are_in_the_table() -> None:
    """Every rule that is cited anywhere is a row of the architecture's table; the product cites each row."""
    table = {row[0] for row in rows(ROOT / "ARCHITECTURE.md") if re.fullmatch(r"R\d+", row[0])}
    folders = ("tierkeeper", "worker", "tasks", "models", "client", "tests", "benchmarks", "docs")
    modules = [path for name in folders for path in (ROOT / name).rglob("*.py")]
    cited = {path: set(re.findall(r"\bR\d+\b", path.read_text())) for path in (*modules, *DOCUMENTS)}
    assert not {path: more for path, rules in cited.items() if (more := rules - table)}
    product = [path for path in modules if path.relative_to(ROOT).parts[0] not in {"tests", "benchmarks"}]
    assert set().union(*(cited[path] for path in product)) == table


def test_make_targets_are_documented() -> None:
    """The contributors' table has every target of the Makefile."""
    targets = set(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {code(row[0])[0] for row in rows(ROOT / "CONTRIBUTING.md") if row[0].startswith("`make ")}
    assert named == {f"make {target}" for target in targets}


def test_decisions_are_numbered_and_listed() -> None:
    """Decisions are numbered without a gap, have a status, and stand in the list."""
    folder = ROOT / "docs" / "decisions"
    files = sorted(path for path in folder.glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in files] == list(range(1, len(files) + 1))
    listed = (folder / "README.md").read_text()
    for path in files:
        assert "\nStatus: " in path.read_text(), path.name
        assert f"({path.name})" in listed, path.name


def test_no_document_names_a_private_path() -> None:
    """Documents name no folder of the machine they were written on."""
    for path in DOCUMENTS:
        assert not re.search(r"(?<![\w.])/(work|tmp|root)/", path.read_text()), path


def layers(container: str) -> list[list[str]]:
    """The layers of a contract of import-linter, top first; each with what stands beside each other, sorted."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    found = [c["layers"] for c in contracts if c["type"] == "layers" and c.get("containers", [""]) == [container]]
    return [sorted(part.strip() for part in layer.split("|")) for layer in found[0]]


@pytest.mark.parametrize(
    ("document", "container"),
    [("ARCHITECTURE.md", ""), ("docs/decisions/0006-layers.md", ""), ("ARCHITECTURE.md", "tierkeeper.engine")],
)
def test_layers_are_those_that_are_checked(document: str, container: str) -> None:
    """What documents draw from top to bottom is what `make lint` holds."""
    text = " ".join((ROOT / document).read_text().split())
    drawn = re.findall(r"`[\w.]+`(?: [>|] `[\w.]+`)+", text)
    told = [[sorted(re.findall(r"[\w.]+", layer)) for layer in chain.split(">")] for chain in drawn]
    assert layers(container) in told


def test_no_package_is_without_a_layer() -> None:
    """The contract that refuses a package without a layer has the order of the house; the linter sees all wheels."""
    house = [[name.removeprefix("tierkeeper.") for name in layer if "tierkeeper." in name] for layer in layers("")]
    assert [layer for layer in house if layer] == layers("tierkeeper")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    shipped = project["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(project["importlinter"]["root_packages"]) == {*shipped, "tierkeeper_client"}


def test_the_house_is_drawn_as_it_is() -> None:
    """The picture in ARCHITECTURE.md names every package and every room and module of the engine, and no other."""
    picture = re.search(r"```text\nbeat_schedule.*?```", (ROOT / "ARCHITECTURE.md").read_text(), re.DOTALL)
    assert picture is not None
    named = set(re.findall(r"(\w+(?:/(?!O)|\.py))", picture.group()))  # not I/O
    inside = [
        path for path in (ROOT / "tierkeeper").glob("*") if (path / "__init__.py").exists() or path.suffix == ".py"
    ]
    engine = [path for path in (ROOT / "tierkeeper" / "engine").glob("*") if path.name[0] != "_"]
    adapters = [path for path in (ROOT / "tierkeeper" / "stores").glob("*") if (path / "__init__.py").exists()]
    there = {path.name if path.suffix else f"{path.name}/" for path in (*inside, *engine, *adapters)} - {"__init__.py"}
    assert len(there) > 30
    assert there <= named
    tree = {path.name if path.suffix else f"{path.name}/" for path in (ROOT / "tierkeeper").rglob("*")}
    tree |= {path.name if path.suffix else f"{path.name}/" for path in ROOT.iterdir()}
    assert named <= tree
