"""`layerscope predict`, as a user types it."""

import subprocess
import sys
from pathlib import Path

import pytest

from layerscope.__main__ import main
from layerscope.commands.predict import predicted

ROOT = Path(__file__).parents[1]


def typed(*arguments, cwd=ROOT):
    return subprocess.run(
        [sys.executable, "-m", "layerscope", *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_the_table_has_every_layer_the_verdict_and_theorys_choice():
    done = typed("predict", "init=kaiming", "model.depth=50", "model.activation=tanh")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert sum(line[:2].isdigit() and "_tanh" in line for line in lines) == 50
    words = " ".join(done.stdout.split())
    assert "layers like these the network is chaotic: gradients grow toward the input" in words
    assert "survives about 130 layers; this network has 50." in words
    assert "Theory would choose init=critical: weights of variance 1.05 / fan_in" in words
    assert max(len(line) for line in lines) <= 80
    assert "…" not in done.stdout


def test_it_takes_little_of_the_processor_and_no_pytorch():
    code = (
        "import sys, time; from layerscope.__main__ import main; "
        "main(['predict', 'init=kaiming', 'model.depth=50']); "
        "print(time.process_time(), [m for m in ('torch', 'lightning') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    seconds, imported = done.stdout.splitlines()[-1].split(" ", 1)
    assert imported == "[]"
    # 0.9 s where nothing else runs. The processor's time, not the clock's: other tests run beside.
    assert float(seconds) < 4


def test_an_init_of_ones_own_package_is_predicted_where_it_is_trusted(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "init").mkdir()
    (tmp_path / "init" / "own.yaml").write_text(
        "_target_: layerscope.lab.init.InitScheme\nweight:\n  _target_: own_inits.tenth\n"
    )
    (tmp_path / "own_inits.py").write_text(
        "from layerscope.lab.init import Initializer\n"
        "def tenth(): return Initializer(draw=None, variance=lambda fan_in, fan_out: 0.01)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    words = ["predict", "--config-dir", str(tmp_path), "init=own", "model.depth=2"]
    assert main(words) == 2
    assert "trust=[own_inits] allows it" in capsys.readouterr().err
    assert main([*words, "trust=[own_inits]"]) == 0
    assert "02_tanh" in capsys.readouterr().out


INITS = [path.stem for path in (ROOT / "conf" / "init").glob("*.yaml")]


@pytest.mark.parametrize("init", INITS)
def test_every_init_is_predicted(init, capsys):
    assert main(["predict", f"init={init}", "model.depth=3"]) == 0
    assert "03_tanh" in capsys.readouterr().out


def test_layers_have_the_names_that_the_monitor_gives_them(capsys):
    assert main(["predict", "experiment=hundred_layers"]) == 0
    printed = capsys.readouterr().out
    assert "\n001_tanh" in printed
    assert "\n100_tanh" in printed


@pytest.mark.parametrize("init", ["random", "small"])  # the largest numbers, and the smallest
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "gelu", "silu", "sigmoid", "elu"])
def test_the_table_fits_whatever_the_numbers(activation, init, capsys):
    chosen = (f"init={init}", f"model.activation={activation}")
    assert main(["predict", "model.depth=35", *chosen]) == 0
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert ("zeros" in printed.splitlines()[1]) == (activation == "relu")


def test_settings_are_those_of_train_py():
    got, _ = predicted(["experiment=notebook", "init=random", "model.widths=[100,50]"])
    assert [layer.fan_out for layer in got.layers] == [100, 50]
    assert got.layers[0].fan_in == 10
    assert got.layers[0].bias_variance == 1
    assert got.saturation_threshold == 0.99
    assert got.std[0] == pytest.approx(0.8762, abs=1e-4)
    scaled, _ = predicted(["experiment=notebook", "init=kaiming"])
    assert scaled.inputs.second_moment == pytest.approx(2 / 27)
    assert predicted(["monitor=none"])[0].saturation_threshold == 0.97


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["init=small"], "Theory would choose init=critical:"),
        (["model.depth=2"], "Theory would keep this init: the network is too shallow"),
        (["init=critical"], "Theory would choose no other weight variance."),
        (["init=critical", "model.depth=100"], "wider layers, or orthogonal weights"),
        (["model.depth=100"], "Theory would choose init=orthogonal init.bias_std=0.004483:"),
        (
            ["model.depth=30", "model.activation=gelu", "model.width=400"],
            "Theory would choose init=critical init.bias_std=0.416:",
        ),
        (["init=xavier"], "survives any depth"),
        (["model.norm=rms"], "The rms norm sets the variance, whatever the init"),
    ],
)
def test_theory_chooses(overrides, words, capsys):
    assert main(["predict", *overrides]) == 0
    assert words in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["init=nothing"], "init must be one of critical, glorot, "),
        (["model.depht=3"], "there is no key model.depht; did you mean model.depth?"),
        (["model.depth=["], "no viable alternative at input"),
        (["model.depth=0"], "error: model.depth must be at least 1, got 0"),
        (["model.depth=deep"], "error: model.depth must be a whole number, got 'deep'"),
        (["model.widths=[]"], "error: model.widths must name at least 1 hidden layer, got none"),
        (["model.widths=5"], "model.widths must be a list of whole numbers or null, got 5"),
        (
            ["model.norm=bach"],
            "error: model.norm must be one of batch, layer, rms, got 'bach'; did you mean batch?",
        ),
        (
            ["model.norm=batch"],
            "theory follows one example or two, and model.norm=batch makes each",
        ),
        (["model.residual=true"], "theory follows a chain of layers, and model.residual=true adds"),
        (["model.activation=tan"], "error: model.activation must be one of tanh, relu, "),
        (["data.context_length=0"], "error: data.context_length must be at least 1, got 0"),
        (["init.gain=-1"], "error: init.gain must be a finite number of at least 0, got -1"),
        (["init.bias_std=wide"], "init.bias_std must be a number, got wide"),
        (["init=critical", "model.activation=gelu"], "use a bias variance of at least 0.1730"),
        (["monitor.saturation_threshold=2"], "saturation_threshold must be above 0 and below 1"),
        (["model._target_=torch.nn.RNN"], "model must be layerscope.lab.mlp.MLP for a prediction"),
        (["data=text_file", "init.embedding=scheme"], "data.path"),
        (["--config-dir", "conf/none"], "--config-dir must be a folder, got conf/none"),
    ],
)
def test_a_bad_setting_is_one_sentence(overrides, sentence, capsys):
    assert main(["predict", *overrides]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert sentence in printed.err


def test_a_config_of_the_users_own_is_found_beside_ours(tmp_path):
    mine = tmp_path / "init" / "mine.yaml"
    mine.parent.mkdir()
    kaiming = (ROOT / "conf/init/kaiming.yaml").read_text()
    mine.write_text(kaiming.replace("scale: 2.0", "scale: 1.0"))
    got, _ = predicted(["init=mine"], tmp_path)
    assert (
        got.layers == predicted(["init=xavier"])[0].layers != predicted(["init=kaiming"])[0].layers
    )


def test_it_finds_the_repositorys_config_from_anywhere(tmp_path):
    done = typed("predict", "model.depth=1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "01_tanh" in done.stdout


def test_an_unknown_command_is_refused_with_those_that_there_are():
    done = typed("divine")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "predict" in done.stderr
