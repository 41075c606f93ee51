import pytest

from cluster_sim.core import ConfigError, Spec, read_document, read_spec

TEXT = """\
# a comment
a: 1

b:
  c: [10,
      20]
  d:
    - e: 3
    - {f: 4,
       g: 5}
? h
: 6
"""


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(TEXT)
    return read_document(path)


def test_values_are_plain(document):
    assert document.data == {"a": 1, "b": {"c": [10, 20], "d": [{"e": 3}, {"f": 4, "g": 5}]}, "h": 6}
    assert type(document.data) is dict
    assert type(document.data["b"]["d"]) is list


def test_every_key_knows_its_line(document):
    assert document.lines == {
        ("a",): 2,
        ("b",): 4,
        ("b", "c"): 5,
        ("b", "c", 0): 5,
        ("b", "c", 1): 6,
        ("b", "d"): 7,
        ("b", "d", 0): 8,
        ("b", "d", 0, "e"): 8,
        ("b", "d", 1): 9,
        ("b", "d", 1, "f"): 9,
        ("b", "d", 1, "g"): 10,
        ("h",): 11,
    }


def test_what_is_not_there_is_at_the_nearest_key_above(document):
    assert document.where(("b", "d", 1, "zzz")) == f"{document.file}:9"
    assert document.where(("b", "zzz", "y")) == f"{document.file}:4"
    assert document.where(("zzz",)) == f"{document.file}:1"
    assert document.where(()) == f"{document.file}:1"


def test_a_problem_is_one_line_with_file_line_and_field(document):
    assert document.problem(("b", "d", 1, "g"), "is wrong") == f"{document.file}:10: b.d.1.g: is wrong"
    assert document.problem((), "is wrong") == f"{document.file}:1: is wrong"


def test_a_setting_changes_a_copy(document):
    changed = document.with_setting("b.d=[1, 2]").with_setting("new.key=0.1 %")
    assert changed.data["b"] == {"c": [10, 20], "d": [1, 2]}
    assert changed.data["new"] == {"key": "0.1 %"}
    assert document.data["b"]["d"][0] == {"e": 3}
    assert changed.where(("b", "d")) == "--set b.d"
    assert changed.where(("new", "key")) == "--set new.key"


@pytest.mark.parametrize(("text", "value"), [("1e6", 1e6), ("true", True), ("no", "no"), ("", None), ("0o17", 15)])
def test_a_setting_is_yaml_1_2(document, text, value):
    assert document.with_setting(f"a={text}").data["a"] == value


def test_equals_signs_in_a_value_belong_to_it(document):
    assert document.with_setting("a=x=y").data["a"] == "x=y"


def test_a_setting_into_a_scalar_is_a_config_error(document):
    with pytest.raises(ConfigError, match=r"--set a\.b\.c: .*no mapping"):
        document.with_setting("a.b.c=1")


class _Inner(Spec):
    c: list[int]
    d: list[dict[str, int]]


class _Outer(Spec):
    a: str
    b: _Inner
    h: int = 0


def test_mistakes_in_lists_are_at_their_line(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(TEXT.replace("20]", "x]").replace("g: 5", "g: y"))
    with pytest.raises(ConfigError) as caught:
        read_spec(_Outer, read_document(path))
    places = [problem.removeprefix(f"{path}:").split(": ")[:2] for problem in caught.value.problems]
    assert places == [["2", "a"], ["6", "b.c.1"], ["10", "b.d.1.g"]]


def test_a_part_of_a_document_is_read_with_its_place(document):
    assert read_spec(_Inner, document, ("b",)).c == [10, 20]
    with pytest.raises(ConfigError, match=rf"{document.file}:4: b\.a: missing; add this key"):
        read_spec(_Outer, document, ("b",))


@pytest.mark.parametrize("text", ["1e6", "0x10", "1_000"])
def test_numbers_are_those_of_yaml_1_2(tmp_path, text):
    path = tmp_path / "x.yaml"
    path.write_text(f"a: {text}\nb: yes\n")
    data = read_document(path).data
    assert data["a"] in (1e6, 16, 1000)
    assert data["b"] == "yes"
