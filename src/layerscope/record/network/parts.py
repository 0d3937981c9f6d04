"""What a network is made of."""

from torch import nn


def parts_of(network: nn.Module) -> tuple[list[nn.Module], dict[int, nn.Parameter]]:
    """Its modules, each once, itself first; and its parameters, by `id`.

    `nn.Module.modules` and `parameters` make their names too, and take ten times as long.
    """
    parameters: dict[int, nn.Parameter] = {}
    seen = {id(network)}
    modules = [network]
    for module in modules:  # grows meanwhile
        for parameter in module._parameters.values():
            if parameter is not None:
                parameters[id(parameter)] = parameter
        for child in module._modules.values():
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                modules.append(child)
    return modules, parameters


def parameters_of(network: nn.Module) -> dict[int, nn.Parameter]:
    """Its parameters, by `id`."""
    return parts_of(network)[1]
