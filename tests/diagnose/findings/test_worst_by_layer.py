from layerscope.diagnose import worst_by_layer
from tests.made_findings import finding

NOTE = finding(severity="note", layer_names=("01_tanh", "02_tanh"))
CRITICAL = finding(rule="idle", severity="critical", layer="02_tanh", layer_names=("02_tanh",))


def test_a_layer_is_as_ill_as_its_worst_finding():
    for findings in ([NOTE, CRITICAL], [CRITICAL, NOTE]):
        assert worst_by_layer(findings) == {"01_tanh": NOTE, "02_tanh": CRITICAL}


def test_of_equals_the_first_counts():
    other = finding(severity="note", rule="biased", layer_names=("01_tanh",))
    assert worst_by_layer([NOTE, other])["01_tanh"] is NOTE


def test_a_finding_of_before_names_its_first_layer_alone():
    assert list(worst_by_layer([finding()])) == ["01_tanh"]
