"""Every key of a config is checked against what takes it, before anything starts."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_object

from layerscope.lab.sentence import BAD_SETTING, NO_CONFIG, sentence
from layerscope.lab.signature import arguments_of
from layerscope.lab.sweep.fingerprint import settings_of
from layerscope.training.check import check
from layerscope.training.run_settings import RunSettings
from layerscope.training.start import groups_in

CONF = Path(__file__).parents[2] / "conf"


def composed(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", ["folder=x", *overrides])


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ("init=kaimin", "init must be one of critical, glorot, .*, got kaimin; did you mean kaim"),
        ("accelerator=", "accelerator must be one of auto, cpu, cuda, mps, got ''"),
        ("model.deph=3", "there is no key model.deph; did you mean model.depth?"),
        ("data.max_batch_size=3", "did you mean data.batch_size?"),  # and not a key of Hydra's
        ("modle.depth=3", "there is no key modle.depth; did you mean model.depth?"),
        ("depth=3", "there is no key depth; did you mean model.depth?"),
        ("experimnt=vanishing", "there is no key experimnt; did you mean experiment?"),
        ("init={colour:red}", "there is no key init.colour"),
        ("saturated_bad=0.3", "did you mean monitor.thresholds.saturated_bad?"),
        ("+init=xavier", "init has a choice already: write init=CHOICE, without the +"),
        ("seed=1,2", "seed=1,2 names several values: -m trains with each"),
        ("model.depth", "model.depth must be KEY=VALUE: "),
        ("init=[kaiming,b]", "init must be one of .*, got b"),
        ("report=abc", "report must be true or false, got abc"),
        ("threads=100000", "threads must be at most 1024, got 100000"),
        ("threads=0", "threads must be at least 1, got 0"),
        ("seed=null", "seed must be a whole number, got null"),
        ("seed=4294967296", "seed must be at most 4294967295, got 4294967296"),
        ("names=1000000000", "names must be at most 10000, got 1000000000"),
        ("scheduler=5", "scheduler must be a mapping or null, got 5"),
        ("+foo=1", "there is no key foo"),
        ("~init", "init must be given, got a config without it"),
        ("init.gain=abc", "init.gain must be a number, got abc"),
        ("trainer.enable_progress_bar=3", "must be true, false or null, got 3"),
        ("init.weight.mode=3", "init.weight.mode must be a text, got 3"),
        ("init._target_=layerscope.nothing", "init._target_ must be what Python can import, got"),
        ("trainer.max_epochs=abc", "trainer.max_epochs must be a whole number or null, got abc"),
        ("trainer.log_every_n_steps=-1", "trainer.log_every_n_steps must be a finite number"),
        ("trainer.num_sanity_val_steps=-3", "at least 0, or -1 for all, got -3"),
        ("+trainer.gradient_clip_val=nan", "trainer.gradient_clip_val must be a finite number"),
        ("trainer.max_steps=-5", "at least 1, or -1 for no bound, got -5"),
        ("model.widths=100", "model.widths must be a list of whole numbers or null, got 100"),
        ("model.depth=9223372036854775808", "must be at most 9223372036854775807, got 9223372036"),
        ("model._partial_=null", "model._partial_ must be true or false, got null"),
        ("model._partial_=false", "model._partial_ must be true, got false"),
        ("+data._partial_=true", "data._partial_ must be false, got true"),
        ("init._convert_=some", "there is no key init._convert_"),
        ("+init._convert_=some", "init._convert_ must be none, partial, object or all, got some"),
        ("optimizer.lr=-1", "optimizer.lr must be a finite number of at least 0, got -1"),
        ("sweep=abc", "sweep must be a mapping, got abc"),
        ("sweep.resume=1", "sweep.resume must be true or false, got 1"),
        ("sweep.objective=val", "sweep.objective must be one of val/loss, criticality, got 'val'"),
        ("+sweep.foder=x", "there is no key sweep.foder; did you mean sweep.folder?"),
        ("seed=???", "seed must be given: it has no default"),
        ("trust={}", "trust must be a list, got {}"),
        ("init.weight=[1]", "init.weight must be a mapping, got [1]"),
        ("hydra.run.dir=null", "hydra.run.dir must have a value, got null"),
        ("hydra.job.num=abc", "hydra.job.num must be of another kind, got abc: Value 'abc' of"),
        ("a b=3", "a b=3 must be KEY=VALUE"),
        ("", "'' must be KEY=VALUE: mismatched input"),
        ("+model.foo=1", "there is no key model.foo"),
        ("model.depth=1.5", "model.depth must be a whole number, got 1.5"),
        ("model.depth=null", "model.depth must be a whole number, got null"),
        ("model.depth=???", "model.depth must be given: it has no default"),
        ("model.depth=${foo}", "model.depth: Interpolation key 'foo' not found"),
        ("model.width='7'", "model.width must be a whole number, got '7'"),
        ("search=optuna", "search has no choice yet: write +search=CHOICE"),
        ("seed=" + "[" * 300 + "]" * 300, "no config and no value may be nested without end"),
        ("~init._target_", "init._target_ must be given, got a mapping without it"),
        ("data.split_seed=abc", "data.split_seed must be a whole number, got abc"),
        ("optimizer.lr=banana", "optimizer.lr must be a number, got banana"),
        ("+optimizer.betas=[0.9]", "optimizer.betas must be a list of 2, got [0.9]"),
        ("+trainer.max_epoch=3", "there is no key trainer.max_epoch; did you mean trainer.max_epo"),
    ],
)
def test_what_is_mistyped_is_one_sentence_with_key_bound_and_value(overrides, told):
    with pytest.raises((*BAD_SETTING, *NO_CONFIG)) as caught:
        check(composed(overrides), [overrides])
    said = sentence(caught.value, groups_in(CONF))
    assert "\n" not in said
    start, *rest = told.split(".*")
    assert start in said
    assert all(each in said for each in rest)


@pytest.mark.parametrize(
    "overrides",
    [
        *(["init=" + path.stem] for path in sorted(CONF.glob("init/*.yaml"))),
        *(["experiment=" + path.stem] for path in sorted(CONF.glob("experiment/*.yaml"))),
        ["data=notebook"],
        ["data=text_file", "data.path=names.txt"],
        ["optimizer=sgd", "scheduler=null"],
        ["monitor=none"],
        ["monitor=sparse"],
        ["model.widths=[20,10]", "optimizer.lr=1", "trainer.devices=[0]"],
        ["+optimizer.amsgrad=true"],
        ["+trainer.num_nodes=2", "+trainer.max_time={hours:1}", "trainer.max_epochs=null"],
    ],
)  # fmt: skip
def test_what_can_be_run_is_not_refused(overrides):
    check(composed(*overrides), overrides)


def test_trust_is_typed_and_not_read_from_a_config():
    cfg = composed("init._target_=pathlib.PurePath", "trust=[pathlib]")
    with pytest.raises(
        ValueError, match=r"^trust must be typed on the command line, got \[pathlib"
    ):
        check(cfg, [])
    with pytest.raises(ValueError, match=r"^there is no key init\."):  # of its arguments
        check(cfg, ["trust=[pathlib]"])


def test_the_settings_of_a_run_are_the_keys_of_the_config():
    assert set(arguments_of(RunSettings)) == set(settings_of(composed()))


def test_every_node_of_the_default_config_has_types_to_be_checked_against():
    targets, waiting = [], [settings_of(composed())]
    while waiting:
        node = waiting.pop()
        targets += [node["_target_"]] if "_target_" in node else []
        waiting += [each for each in node.values() if isinstance(each, dict)]
    assert len(targets) > 8
    assert all(arguments_of(get_object(target)) for target in targets)


def test_the_node_that_was_typed_is_checked_first():
    wrong = ["trainer.max_epochs=abc", "model.depth=abc"]
    for typed in wrong:
        with pytest.raises(ValueError, match=f"^{typed.partition('=')[0]} must be"):
            check(composed(*wrong), [typed])
