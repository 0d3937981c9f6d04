"""Trainings in which classes come that were not there before, with too large steps, or without."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import fit, of_output, program


def task_after_task(x, y, tasks, steps, size=32, old=0):
    """Batches of one task's classes after another's; of each batch, `old` are of those before."""
    of_task = [torch.isin(y, torch.tensor(classes)).nonzero()[:, 0] for classes in tasks]
    for number, now in enumerate(of_task):
        before = torch.cat(of_task[:number] or [now])
        for _ in range(steps):
            chosen = now[torch.randint(len(now), (size - old,))]
            kept = before[torch.randint(len(before), (old,))]
            rows = torch.cat([chosen, kept])
            yield x[rows], y[rows]


@program("loss_diverged", first=False)
def a_rate_too_large_for_the_classes_of_a_second_task(mended, watch):
    x, y = toys.blobs(classes=8, features=12, apart=3.0)
    model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 8))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def data():
        for number, batch in enumerate(task_after_task(x, y, [[0, 1, 2, 3], [4, 5, 6, 7]], 120)):
            if number == 160 and not mended:
                optimizer.param_groups[0]["lr"] = 40.0
            yield batch

    fit(watch, model, optimizer, data(), of_output(F.cross_entropy))


@program("loss_diverged", first=False)
def replay_of_old_pictures_with_a_rate_that_is_raised_too_far(mended, watch):
    x, y = toys.pictures(classes=4)
    y = y + 4 * (x.mean((1, 2, 3)) > x.mean()).long()
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.LeakyReLU(0.2), nn.Flatten()),
        *(nn.Linear(1024, 32), nn.LeakyReLU(0.2), nn.Linear(32, 8)),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def data():
        tasks = [[0, 1], [2, 3], [4, 5, 6, 7]]
        for number, batch in enumerate(task_after_task(x, y, tasks, 90, old=8)):
            if number == 120 and not mended:
                optimizer.param_groups[0]["lr"] = 0.3
            yield batch

    fit(watch, model, optimizer, data(), of_output(F.cross_entropy))
