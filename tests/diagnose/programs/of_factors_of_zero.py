"""Programs of which one factor, or an embedding, gets no gradient."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, program


def ratings(people=80, things=60, count=4000):
    person, thing = torch.randint(people, (count,)), torch.randint(things, (count,))
    tastes, kinds = torch.randn(people, 3), torch.randn(things, 3)
    return person, thing, (tastes[person] * kinds[thing]).sum(1) + 0.3 * torch.randn(count)


@program("no_gradient")
def two_tables_of_zeros_that_are_multiplied(mended, watch):
    person, thing, rating = ratings()

    class Tables(nn.Module):
        def __init__(self):
            super().__init__()
            self.people, self.things = nn.Embedding(80, 8), nn.Embedding(60, 8)
            self.offset = nn.Embedding(60, 1)
            for table in (self.people, self.things, self.offset):
                nn.init.zeros_(table.weight)
            if mended:
                nn.init.normal_(self.people.weight, std=0.3)

        def forward(self, person, thing):
            product = self.people(person) * self.things(thing)
            return product.sum(1) + self.offset(thing).squeeze(1)

    model = Tables()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    loss = lambda model, *xy: F.mse_loss(model(*xy[:2]), xy[2])  # noqa: E731
    fit(watch, model, optimizer, batches(person, thing, rating, size=64, steps=200), loss)


@program("no_gradient")
def a_gate_of_zeros_times_a_branch_of_zeros(mended, watch):
    x, y = toys.surface(features=8)

    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.plain, self.gate = nn.Linear(8, 32), nn.Linear(8, 32, bias=False)
            self.branch, self.last = nn.Linear(8, 32, bias=False), nn.Linear(32, 1)
            nn.init.zeros_(self.branch.weight)
            if not mended:
                nn.init.zeros_(self.gate.weight)

        def forward(self, x):
            return self.last(torch.relu(self.plain(x)) + self.gate(x) * self.branch(x))

    model = Gated()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.mse_loss))


class Words(nn.Module):
    """The mean of a text's words, and a topic of it."""

    def __init__(self, kept):
        super().__init__()
        self.words, self.kept = nn.Embedding(60, 24), kept
        self.body, self.topic = nn.Linear(24, 32), nn.Linear(32, 4)

    def forward(self, x):
        seen = self.words(x)
        return self.topic(torch.relu(self.body((seen if self.kept else seen.detach()).mean(1))))


@program("no_gradient")
def words_that_are_detached(mended, watch):
    x, y = toys.phrases(classes=4)
    model = Words(kept=mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.cross_entropy))


@program("no_gradient")
def kinds_whose_table_is_read_under_no_grad(mended, watch):
    x, y = toys.surface(features=6)
    kind = torch.randint(9, (len(x),))
    y = y + torch.randn(9)[kind, None]

    class Table(nn.Module):
        def __init__(self):
            super().__init__()
            self.kinds, self.body = nn.Embedding(9, 4), nn.Linear(10, 32)
            self.last = nn.Linear(32, 1)

        def forward(self, x, kind):
            with torch.set_grad_enabled(mended):
                about = self.kinds(kind)
            return self.last(torch.relu(self.body(torch.cat([x, about], 1))))

    model = Table()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    loss = lambda model, x, kind, y: F.mse_loss(model(x, kind), y)  # noqa: E731
    fit(watch, model, optimizer, batches(x, kind, y), loss)
