"""Checkpoints: what loads, what is refused, and that a refused one changes nothing."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, fx, nn

import archdsl
from archdsl.backends.torch.fx import to_graph_module
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagnostics.problems import ArchError
from archdsl.weights.read import load_weights
from tests.backends.sample_networks import residual

State = dict[str, Tensor]


@pytest.fixture
def module() -> fx.GraphModule:
    return to_graph_module(residual())


@pytest.fixture
def state() -> State:
    """What another copy of the model was saved as."""
    return dict(to_graph_module(residual()).state_dict())


def is_loaded(module: nn.Module, state: State) -> bool:
    return all(torch.equal(value, state[key]) for key, value in module.state_dict().items())


def refusal(module: nn.Module, path: Path) -> Diagnostic:
    """The one diagnostic; nothing of the file may have reached the module."""
    before = {key: value.clone() for key, value in module.state_dict().items()}
    with pytest.raises(ArchError) as caught:
        load_weights(module, path)
    assert is_loaded(module, before)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: OrderedDict(state),
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": {"state_dict": state}},
        lambda state: {"model_state": {f"module.{key}": value for key, value in state.items()}},
        lambda state: {f"_orig_mod.{key}": value for key, value in state.items()},
    ],
    ids=["plain", "ordered", "wrapped", "wrapped twice", "DataParallel", "compiled"],
)
def test_checkpoints_load(module: nn.Module, state: State, wrap: Callable[[State], Any], tmp_path: Path) -> None:
    torch.save(wrap(state), tmp_path / "model.pth")
    load_weights(module, tmp_path / "model.pth")
    assert is_loaded(module, state)


def test_safetensors_load(module: nn.Module, state: State, tmp_path: Path) -> None:
    save_file(state, tmp_path / "model.safetensors")
    load_weights(module, tmp_path / "model.safetensors")
    assert is_loaded(module, state)


def test_counters_may_be_missing(module: nn.Module, state: State, tmp_path: Path) -> None:
    old = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "old.pth")
    load_weights(module, tmp_path / "old.pth")
    assert is_loaded(module, state)


def test_old_densenet_names_are_renamed(torchvision_models: ModuleType, tmp_path: Path) -> None:
    torchs = torchvision_models.densenet121(weights=None)
    old = {}
    for key, value in torchs.state_dict().items():
        for part in ("norm1", "norm2", "conv1", "conv2"):
            key = key.replace(f".{part}.", f".{part[:-1]}.{part[-1]}.")
        old[key] = value
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "densenet121.pth")
    module = archdsl.build("densenet121", weights=tmp_path / "densenet121.pth")
    assert is_loaded(module, torchs.state_dict())


def test_all_that_does_not_fit_is_listed(module: nn.Module, state: State, tmp_path: Path) -> None:
    state["fc.weights"] = state.pop("fc.weight")
    state["bn1.weight"] = torch.zeros(3)
    state["extra"] = torch.tensor(1.0)
    torch.save(state, tmp_path / "other.pth")
    found = refusal(module, tmp_path / "other.pth")
    assert found.code == "E602"
    assert found.message == "other.pth does not fit the model: 1 missing, 2 not in the model, 1 of another shape"
    assert found.notes == (
        "missing: fc.weight (the file has fc.weights)",
        "not in the model: fc.weights",
        "not in the model: extra",
        "other shape: bn1.weight: 3, model has 8",
    )


def test_many_keys_are_listed_by_module(module: nn.Module, tmp_path: Path) -> None:
    many = {f"{part}.{i}.weight": torch.zeros(2) for part in ("encoder", "decoder") for i in range(30)}
    torch.save({**many, "scale": torch.zeros(2, 3)}, tmp_path / "none.pth")
    found = refusal(module, tmp_path / "none.pth")
    missing = [key for key in module.state_dict() if not key.endswith("num_batches_tracked")]
    assert [note for note in found.notes if note.startswith("not in")] == [
        "not in the model: encoder.* (30 keys)",
        "not in the model: decoder.* (30 keys)",
        "not in the model: scale",
    ]
    groups = [note.removeprefix("missing: ") for note in found.notes if note.startswith("missing")]
    held = [key for group in groups for key in missing if key.startswith(group.partition("*")[0])]
    assert 1 < len(groups) <= 20
    assert sorted(held) == sorted(missing)
    assert all(f"({sum(key.startswith(group.partition('*')[0]) for key in missing)} keys)" in group
               for group in groups if "*" in group)  # fmt: skip


def test_lists_too_long_even_so_are_cut(module: nn.Module, tmp_path: Path) -> None:
    torch.save({f"tensor{i}": torch.zeros(2) for i in range(50)}, tmp_path / "flat.pth")
    notes = refusal(module, tmp_path / "flat.pth").notes
    assert sum(note.startswith("not in the model") for note in notes) == 21
    assert "not in the model: and 30 more" in notes


def test_a_key_alike_is_offered_only_with_the_same_shape(module: nn.Module, state: State, tmp_path: Path) -> None:
    state["fc.weights"] = torch.zeros(7)
    del state["fc.weight"]
    torch.save(state, tmp_path / "other.pth")
    assert "missing: fc.weight" in refusal(module, tmp_path / "other.pth").notes


class Code:
    """A pickle of it would remove a file on loading."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[object, ...]:
        return os.remove, (str(self.victim),)


@pytest.mark.parametrize("write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_pickles_with_code_are_refused(write: Callable[[Any, Path], object], module: nn.Module, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.touch()
    write({"conv1.weight": Code(victim)}, tmp_path / "evil.pth")
    found = refusal(module, tmp_path / "evil.pth")
    assert found.code == "E601"
    assert "code" in found.message
    assert victim.exists()


def test_a_whole_pickled_model_is_refused(module: nn.Module, tmp_path: Path) -> None:
    torch.save(module, tmp_path / "model.pt")
    found = refusal(module, tmp_path / "model.pt")
    assert found.code == "E601"
    assert "state_dict" in found.help[0]


@pytest.mark.parametrize("name", ["model.pth", "model.pt", "model.safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights at all", b"\x80\x02.", b"PK\x03\x04broken"])
def test_broken_files_are_refused(name: str, content: bytes, module: nn.Module, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert refusal(module, tmp_path / name).code == "E601"


@pytest.mark.parametrize(
    "content, said",
    [(b"", "it is empty"), (b"\0rubbish", "it is no torch checkpoint"), (b"<html>", "no torch checkpoint")],
)
def test_what_is_no_checkpoint_at_all_is_called_so(
    content: bytes, said: str, module: nn.Module, tmp_path: Path
) -> None:
    (tmp_path / "model.pth").write_bytes(content)
    assert refusal(module, tmp_path / "model.pth").message.endswith(said)


@pytest.mark.parametrize("content", [3, [torch.zeros(2)], {"epoch": 3}, {}, {"state_dict": {"a": "b"}}])
def test_files_without_a_state_dict_are_refused(content: Any, module: nn.Module, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "model.pth")
    assert refusal(module, tmp_path / "model.pth").code == "E601"


def test_missing_files_and_directories(module: nn.Module, tmp_path: Path) -> None:
    assert refusal(module, tmp_path / "missing.pth").code == "E001"
    assert refusal(module, tmp_path).code == "E002"
