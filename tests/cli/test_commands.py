import json
import subprocess
import sys

import pytest

from cluster_sim import __version__
from cluster_sim.results import Run
from tests.small import write_comparison, write_small

COMMANDS = ("run", "compare", "plan", "reliability", "verify", "calibrate", "topology", "catalogue", "doctor")


def test_help_is_fast():
    """The heavy packages wait until a command needs them: help takes some 40 ms, not a second."""
    code = (
        "import sys\n"
        "from cluster_sim.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "heavy = ('numpy', 'numba', 'matplotlib', 'pyarrow', 'pydantic', 'simpy', 'networkx', 'cupy', 'ruamel')\n"
        "print('loaded:', [name for name in heavy if name in sys.modules])\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "loaded: []"
    for command in COMMANDS:
        assert command in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(cli, command):
    for option in ("-h", "--help"):
        result = cli(command, option)
        assert result.exit_code == 0
        assert result.stdout.startswith("Usage:")


def test_the_version_is_told(cli):
    assert cli("--version").stdout.split()[-1] == __version__


def test_python_dash_m_is_the_same_program():
    result = subprocess.run(
        [sys.executable, "-m", "cluster_sim", "--version"], capture_output=True, text=True, check=True
    )
    assert __version__ in result.stdout


def test_an_unknown_command_is_refused(cli):
    result = cli("rnu")
    assert result.exit_code == 2
    assert "rnu" in result.stderr


# --- run ------------------------------------------------------------------------------------------------------------


def test_a_run_prints_its_step_and_where_its_results_are(cli, tmp_path):
    result = cli("run", write_small(tmp_path).name, "--backend", "numpy")
    assert result.exit_code == 0
    assert "small / interconnect / clos" in result.stdout
    assert "MFU" in result.stdout
    assert "results: results/small-001/" in result.stdout
    assert "backend numpy" in result.stdout
    assert Run.open(tmp_path / "results" / "small-001").manifest["backend"] == "numpy"


def test_json_is_one_line_and_nothing_else(cli, tmp_path):
    result = cli("run", write_small(tmp_path).name, "--json", "--output", "out", "--backend", "numpy")
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1
    told = json.loads(result.stdout)
    assert told["folder"] == "out"
    assert told["summary"] == Run.open(tmp_path / "out").summary.to_pylist()


def test_quiet_prints_nothing(cli, tmp_path):
    result = cli("run", write_small(tmp_path).name, "--quiet", "--output", "out", "--backend", "numpy")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    Run.open(tmp_path / "out")


def test_options_override_the_file(cli, tmp_path):
    cli("run", write_small(tmp_path).name, "--quiet", "--output", "out", "--backend", "numpy", "--seed", 42,
        "--set", "job.global_batch=128", "--set", "record=summary")  # fmt: skip
    run = Run.open(tmp_path / "out")
    assert (run.manifest["seed"], run.manifest["backend"]) == (42, "numpy")
    assert run.manifest["config"]["job"]["global_batch"] == 128
    assert set(run.tables) == {"summary", "bom", "events", "power", "supply"}


def test_a_run_without_a_name_is_called_as_its_file(cli, tmp_path):
    path = write_small(tmp_path, ("name: small\n", ""), name="fancy.yaml")
    for number in (1, 2):
        assert cli("run", path.name, "--quiet", "--backend", "numpy").exit_code == 0
        run = Run.open(tmp_path / "results" / f"fancy-{number:03d}")
        assert run.summary["job"].to_pylist() == ["fancy"]


def test_verbose_logs_to_stderr(cli, tmp_path):
    """-v is an option of the program, before the command."""
    result = cli("-v", "run", write_small(tmp_path).name, "--json", "--output", "out", "--backend", "numpy")
    assert result.exit_code == 0
    json.loads(result.stdout)


def test_progress_never_mixes_with_results(cli, tmp_path):
    result = cli("run", write_small(tmp_path).name, "--output", "out", "--backend", "numpy")
    assert "building the fabric" not in result.stdout


# --- output folders -------------------------------------------------------------------------------------------------


def test_an_output_that_is_not_empty_is_refused_unless_overwritten(cli, refused, tmp_path):
    path = write_small(tmp_path)
    arguments = ("run", path.name, "--quiet", "--backend", "numpy", "--output", "out")
    assert cli(*arguments).exit_code == 0
    assert refused(*arguments) == ["out: is not empty; choose another --output, or add --overwrite"]
    assert cli(*arguments, "--overwrite", "--seed", 2).exit_code == 0
    assert Run.open(tmp_path / "out").manifest["seed"] == 2


def test_an_output_with_other_things_is_never_overwritten(refused, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    lines = refused("run", write_small(tmp_path).name, "--output", "mine", "--overwrite", "--backend", "numpy")
    assert lines == ["mine: holds other things than a run's results (thesis.tex); empty it yourself, or choose another"]


def test_an_output_that_is_a_file_is_refused(refused, tmp_path):
    (tmp_path / "file").write_text("x")
    for output in ("file", "file/below"):
        (line,) = refused("run", write_small(tmp_path).name, "--output", output, "--backend", "numpy")
        assert line.startswith(f"{output}: cannot be written (")
        assert line.endswith("choose another --output")
    assert (tmp_path / "file").read_text() == "x"


def test_an_output_that_cannot_be_used_is_refused_before_the_simulation(refused, tmp_path, monkeypatch):
    def simulated(*arguments, **options):
        raise AssertionError("it has simulated")

    monkeypatch.setattr("cluster_sim.run.evaluate", simulated)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "summary.arrow").touch()
    refused("run", write_small(tmp_path).name, "--output", "out")


def test_a_fabric_that_cannot_be_built_leaves_nothing_behind(refused, tmp_path):
    path = write_small(tmp_path, ("pod_accelerators: 32", "pod_accelerators: 48"))
    refused("run", path.name, "--output", "out")
    assert not (tmp_path / "out").exists()


def test_a_simulation_that_fails_is_exit_code_1_without_traceback(cli, tmp_path, monkeypatch):
    from cluster_sim.core import StalledFlowsError

    def stall(*arguments, **options):
        raise StalledFlowsError(("dp",), "leaf 3 -> spine 1", 0.5)

    monkeypatch.setattr("cluster_sim.run.evaluate", stall)
    result = cli("run", write_small(tmp_path).name, "--quiet", "--output", "out")
    assert result.exit_code == 1
    assert "stalled at t=0.5 s" in result.stderr
    assert not (tmp_path / "out").exists()


def test_an_interrupt_leaves_no_run_that_looks_whole(cli, tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("cluster_sim.run.evaluate", interrupt)
    result = cli("run", write_small(tmp_path).name, "--quiet", "--output", "out")
    assert result.exit_code == 130
    assert "interrupted" in result.stderr
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_folder_with_brackets_is_printed_as_it_is(cli, tmp_path):
    result = cli("run", write_small(tmp_path).name, "--output", "out[/a]", "--backend", "numpy")
    assert result.exit_code == 0
    assert "results: out[/a]/" in result.stdout


# --- compare --------------------------------------------------------------------------------------------------------


def test_a_comparison_prints_a_ranking_and_draws_a_figure(cli, tmp_path):
    result = cli("compare", write_comparison(tmp_path).name, "--workers", 1)
    assert result.exit_code == 0
    for words in (
        "64 h100-sxm, 800G per accelerator",
        "dsp",
        "not_buildable: dac (ocs)",
        "results: results/versus-001/",
    ):
        assert words in result.stdout
    folder = tmp_path / "results" / "versus-001"
    assert {path.name for path in folder.iterdir()} == {
        "summary.arrow", "events.arrow", "bom.arrow", "power.arrow", "supply.arrow", "manifest.json",
        "comparison.png", "comparison.svg", "pareto.png", "pareto.svg",
    }  # fmt: skip
    Run.open(folder)


def test_a_comparison_of_sizes_prints_where_each_option_is_enough(cli, tmp_path):
    sizes = ("--set", "compare.accelerators=[32, 64]")
    arguments = ("compare", write_comparison(tmp_path).name, "--workers", 1, *sizes, "--output", "out")
    result = cli(*arguments)
    assert result.exit_code == 0
    assert "tiny@64: " in result.stdout
    assert "tiny@32: " not in result.stdout  # the ranking of the largest size only
    assert "enough up to" in result.stdout
    assert {"scale.arrow", "scale.png", "scale.svg"} <= {path.name for path in (tmp_path / "out").iterdir()}
    assert cli(*arguments, "--overwrite", "--quiet").exit_code == 0


def test_a_comparison_is_ranked_by_what_is_asked_for(cli, tmp_path):
    arguments = ("compare", write_comparison(tmp_path).name, "--workers", 1)
    result = cli(*arguments, "--set", "rank={mix: {capex: 2, network_energy: 1}, across: line_rates}")
    assert result.exit_code == 0
    assert "ranked by price of the network^0.667 x network energy per step^0.333" in " ".join(result.stdout.split())
    assert "x best" in result.stdout


def test_a_comparison_as_json_is_one_line(cli, tmp_path):
    result = cli("compare", write_comparison(tmp_path).name, "--workers", 1, "--json")
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1
    assert [row["status"] for row in json.loads(result.stdout)["summary"]].count("not_buildable") == 1


def test_a_comparison_can_be_overwritten_figures_and_all(cli, tmp_path):
    arguments = ("compare", write_comparison(tmp_path).name, "--workers", 1, "--quiet", "--output", "out")
    assert cli(*arguments).exit_code == 0
    result = cli(*arguments, "--overwrite")
    assert (result.exit_code, result.output) == (0, "")
    Run.open(tmp_path / "out")


def test_a_comparison_with_draws_tells_how_sure_it_is(cli, tmp_path):
    result = cli("compare", write_comparison(tmp_path).name, "--workers", 1, "--uncertainty", 8, "--seed", 3)
    assert result.exit_code == 0
    for words in ("tiny, 800G: 8 draws", "wins %", "Step times: piecewise linear", "First place of"):
        assert words in result.stdout
    done = Run.open(tmp_path / "results" / "versus-001")
    assert done.manifest["uncertainty"]["draws"] == 8
    assert {"uncertainty.png", "uncertainty.svg"} <= {path.name for path in done.folder.iterdir()}
    again = cli(
        "compare", "versus.yaml", "--workers", 1, "--uncertainty", 8, "--seed", 3, "--json", "--set",
        "catalogue={tomahawk5: {price: 80 kUSD}}",
    )  # fmt: skip
    told = json.loads(again.stdout)
    assert {row["draws"] for row in told["uncertainty"]} == {8}
    assert all(row["figure"] != "tomahawk5 price" for row in told["drivers"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--uncertainty", "0"), "'--uncertainty': 0 is not in the range 1<=x<=100000"),
        (("--uncertainty", "-5"), "'--uncertainty': -5 is not in the range 1<=x<=100000"),
        (("--uncertainty", "few"), "'--uncertainty': 'few' is not a valid integer"),
        (("--resimulate",), "say how many with --uncertainty N"),
    ],
)
def test_draws_that_make_no_sense_are_refused(cli, tmp_path, options, words):
    result = cli("compare", write_comparison(tmp_path).name, *options)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (tmp_path / "results").exists()


# --- catalogue and doctor -------------------------------------------------------------------------------------------


def test_the_catalogue_lists_every_section(cli):
    text = cli("catalogue").stdout
    for name in ("800g-dsp-dr8", "tomahawk5", "connectx8-800g", "palomar-mems", "nvlink5", "b300-sxm"):
        assert name in text


def test_the_catalogue_shows_every_figure_with_its_source(cli):
    told = json.loads(cli("catalogue", "800g-dsp-dr8", "--json").stdout)
    assert told["power"]["source"]
    assert told["power"]["unit"] == "W"
    assert "source" in cli("catalogue", "tomahawk5").stdout
    assert "fec_latency" in cli("catalogue", "constants", "--json").stdout


def test_the_catalogue_as_json_is_one_line(cli):
    result = cli("catalogue", "--json")
    assert result.stdout.count("\n") == 1
    assert "b300-sxm" in json.loads(result.stdout)["accelerator"]


def test_an_unknown_entry_is_refused_and_the_nearest_suggested(cli):
    result = cli("catalogue", "tomahwk5")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "did you mean 'tomahawk5'?" in result.stderr


def test_the_doctor_says_which_backend_and_why(cli):
    text = cli("doctor").stdout
    for word in ("backend: ", "numpy: available on CPU", "cupy: ", "python: "):
        assert word in text


def test_the_doctor_speaks_json(cli):
    result = cli("doctor", "--json")
    assert result.stdout.count("\n") == 1
    told = json.loads(result.stdout)
    assert set(told["backends"]) == {"numpy", "numba", "cupy"}
    assert told["backend"] in told["backends"]
    assert told["why"]


def test_a_backend_that_is_not_there_is_explained_by_the_doctor(cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert "Install the extra 'gpu'" in json.loads(cli("doctor", "--json").stdout)["backends"]["cupy"]


def test_too_little_memory_is_told_without_a_traceback(cli, tmp_path, monkeypatch):
    def build(*_):
        raise MemoryError("Unable to allocate 8 EiB")

    monkeypatch.setattr("cluster_sim.topology.Clos.build", build)
    result = cli("run", write_small(tmp_path).name, "--quiet")
    assert result.exit_code == 1
    assert result.stderr == "not enough memory: Unable to allocate 8 EiB; make the job or the fabric smaller\n"


def test_an_order_that_is_left_open_is_told_with_its_reason(cli, tmp_path):
    write_small(tmp_path)
    result = cli("run", "small.yaml", "--set", "job.parallelism.order=auto", "--output", "out")
    assert result.exit_code == 0, result.stderr
    assert "order: tensor, context, data, pipeline: tensor 2 x context 1 closest" in result.stdout
    assert "closest" in Run.open(tmp_path / "out").manifest["order_reason"]
