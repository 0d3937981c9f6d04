"""Faults of what passes forward and backward are made of: whose gradients, of which outputs."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, program
from tests.usual_step import descend


@program("gradients_accumulate")
def a_head_whose_own_optimizer_is_forgotten(mended, watch):
    x, y = toys.blobs(classes=4, features=10)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
    body = torch.optim.AdamW(model[0].parameters(), lr=1e-3)
    head = torch.optim.SGD(model[2].parameters(), lr=0.05)
    with watch(model) as scope:
        for inputs, labels in batches(x, y):
            body.zero_grad()
            if mended:
                head.zero_grad()
            loss = F.cross_entropy(model(inputs), labels)
            loss.backward()
            body.step()
            head.step()
            scope.step(loss)


@program("gradients_accumulate")
def a_critic_that_is_never_cleared(mended, watch):
    def points():
        return torch.randn(64, 2) * torch.tensor([2.0, 0.5]) + 1

    maker = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
    critic = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    both = nn.ModuleDict({"maker": maker, "critic": critic})
    of_maker = torch.optim.RMSprop(maker.parameters(), lr=5e-4)
    of_critic = torch.optim.RMSprop(critic.parameters(), lr=5e-4)
    with watch(both) as scope:
        for _ in range(100):
            made = maker(torch.randn(64, 4))
            if mended:
                of_critic.zero_grad()
            loss = F.relu(1 - critic(points())).mean() + F.relu(1 + critic(made.detach())).mean()
            loss.backward()
            of_critic.step()
            of_maker.zero_grad()
            (-critic(made).mean()).backward()
            of_maker.step()
            scope.step(loss)


@program("loss_broadcast")
def the_value_of_the_action_taken_against_a_row_of_targets(mended, watch):
    x, y = toys.surface()
    action = torch.randint(3, (len(x), 1))
    reward = y[:, 0] * (action[:, 0] - 1)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 3))

    def loss(model, x, action, reward):
        value = model(x).gather(1, action)
        return F.mse_loss(value, reward[:, None] if mended else reward)

    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, action, reward, steps=150), loss)


@program("loss_broadcast")
def one_head_of_several_against_a_row_of_targets(mended, watch):
    x, y = toys.surface()
    machine = torch.arange(len(x)) % 4
    y = y[:, 0] + machine
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 4))

    def loss(model, x, machine, y):
        chosen = model(x)[torch.arange(len(x)), machine].reshape(-1, 1)
        return F.mse_loss(chosen.squeeze(1) if mended else chosen, y)

    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    fit(watch, model, optimizer, batches(x, machine, y, steps=150), loss)


def policy(watch, loss_of, steps=60):
    """Three actions in states of four numbers; loss_of(model, states, actions, gains, then)."""
    model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model) as scope:
        for step in range(steps):
            if step % 4 == 0:
                states = torch.randn(128, 4)
                with torch.no_grad():
                    then = F.log_softmax(model(states), 1)
                actions = torch.multinomial(then.exp(), 1)
                gains = states[:, :1] * (actions - 1)
                gains = (gains - gains.mean()) / gains.std()
            loss = loss_of(model, states, actions, gains, then.gather(1, actions))
            descend(scope, optimizer, loss)


@program("no_gradient")
def a_policy_compared_with_itself(mended, watch):
    def loss(model, states, actions, gains, then):
        now = F.log_softmax(model(states), 1).gather(1, actions)
        old = then if mended else F.log_softmax(model(states), 1).gather(1, actions)
        ratio = (now - old).exp()
        return -torch.min(ratio * gains, ratio.clamp(0.8, 1.2) * gains).mean()

    policy(watch, loss)


@program("no_gradient")
def a_weight_of_importance_made_of_one_network(mended, watch):
    def likely(model, states, actions):
        return torch.distributions.Categorical(logits=model(states)).log_prob(actions[:, 0])

    def loss(model, states, actions, gains, then):
        old = then[:, 0] if mended else likely(model, states, actions)
        importance = (likely(model, states, actions) - old).exp()
        return (importance * (0.5 - gains[:, 0])).mean()

    policy(watch, loss)


class Denoiser(nn.Module):
    """Gives what it takes for the noise in points of a ring, knowing how much there is."""

    def __init__(self):
        super().__init__()
        self.of_points, self.of_time = nn.Linear(2, 32), nn.Embedding(20, 32)
        self.hidden, self.out = nn.Linear(32, 32), nn.Linear(32, 2)

    def forward(self, points, time):
        hidden = F.gelu(self.of_points(points) + self.of_time(time))
        return self.out(F.gelu(self.hidden(hidden)))


@program("target_is_input")
def noise_that_is_taken_for_the_noisy_points(mended, watch):
    angle = 6.3 * torch.rand(1024)
    points = torch.stack([angle.cos(), angle.sin()], 1)
    signal = torch.linspace(0.98, 0.1, 20)

    def loss(model, points):
        time, noise = torch.randint(20, (len(points),)), torch.randn_like(points)
        share = signal[time][:, None]
        noisy = share * points + (1 - share.square()).sqrt() * noise
        return F.mse_loss(model(noisy, time), noise if mended else noisy)

    model = Denoiser()
    fit(watch, model, torch.optim.Adam(model.parameters(), 2e-3), batches(points), loss)


@program("target_is_input")
def a_forecast_of_what_is_known(mended, watch):
    x, following = toys.waves(length=13)
    sequence = torch.cat([x[:, :, 0], following], 1)
    model = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 12))

    def loss(model, sequence):
        known = sequence[:, :12]
        return F.mse_loss(model(known), sequence[:, 2:] if mended else known)

    fit(watch, model, torch.optim.Adam(model.parameters(), 2e-3), batches(sequence), loss)


class StepByStep(nn.Module):
    """Answers after the last step of a sequence, by a cell's state."""

    def __init__(self, cell, cut):
        super().__init__()
        self.cell, self.cut, self.out = cell, cut, nn.Linear(24, 1)

    def forward(self, x):
        state = None
        for step in x.unbind(1):
            state = self.cell(step, None if state is None else self.cut(state))
        return self.out(state[0] if state.__class__ is tuple else state.flatten(0, -2))


def sums(count=512, length=8):
    """Sequences [count, length, 3], and the mean of their first feature, [count, 1]."""
    x = torch.randn(count, length, 3)
    return x, x[:, :, 0].mean(1, keepdim=True) * length**0.5


def remember(watch, cell, cut):
    model = StepByStep(cell, cut)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(*sums(), steps=60), of_output(F.mse_loss))


@program("states_detached")
def states_that_are_detached_so_that_backward_runs(mended, watch):
    def cut(state):
        return state if mended else tuple(each.detach() for each in state)

    remember(watch, nn.LSTMCell(3, 24), cut)


@program("states_detached")
def a_layer_for_one_step_that_is_given_data(mended, watch):
    class OneStep(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(3, 24, batch_first=True)

        def forward(self, step, state):
            return self.gru(step[:, None], state)[1]

    cell = OneStep()
    remember(watch, cell, lambda state: state if mended else state.data)


@program("graph_kept")
def a_sum_of_losses_that_is_gone_back_through(mended, watch):
    x, y = toys.blobs(classes=3, features=10)
    model = nn.Linear(10, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    total = 0.0
    with watch(model) as scope:
        for inputs, labels in batches(x, y):
            loss = F.cross_entropy(model(inputs), labels)
            total = loss if mended else total + loss
            optimizer.zero_grad()
            total.backward(retain_graph=not mended)
            optimizer.step()
            scope.step(total)


@program("graph_kept")
def a_mean_of_all_losses_that_is_told(mended, watch):
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    with watch(model) as scope:
        for inputs, targets in batches(*toys.surface()):
            optimizer.zero_grad()
            loss = F.mse_loss(model(inputs), targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach() if mended else loss)
            scope.step(torch.stack(losses).mean())


def in_parts(watch, model, optimizer, data, loss_of, parts):
    """Each step adds up the gradients of so many parts of a batch."""
    with watch(model) as scope:
        for batch in data:
            optimizer.zero_grad()
            for part in zip(*(each.chunk(parts) for each in batch), strict=True):
                loss = loss_of(model, *part)
                loss.backward()
            optimizer.step()
            scope.step(loss)


@program("loss_reduction")
def parts_whose_means_are_added_up(mended, watch):
    x, y = toys.blobs(classes=4, features=10)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)

    def loss(model, x, y):
        return F.cross_entropy(model(x), y) / (16 if mended else 1)

    in_parts(watch, model, optimizer, batches(x, y, steps=60, size=128), loss, 16)


@program("loss_reduction")
def errors_of_parts_that_are_added_up(mended, watch):
    model = nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.04 / (12 if mended else 1), momentum=0.9)

    def loss(model, x, y):
        return F.mse_loss(model(x), y)

    in_parts(watch, model, optimizer, batches(*toys.surface(), steps=60, size=96), loss, 12)


def each_told(watch, model, optimizer, data, loss_of, parts):
    """The same, and each part's loss is told."""
    with watch(model) as scope:
        for number, batch in enumerate(data, 1):
            loss = loss_of(model, *batch)
            loss.backward()
            if number % parts == 0:
                optimizer.step()
                optimizer.zero_grad()
            scope.step(loss)


@program("loss_reduction")
def errors_of_eight_parts_that_are_each_told(mended, watch):
    model = nn.Sequential(
        nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    def loss(model, x, y):
        return F.mse_loss(model(x), 2 * y) / (8 if mended else 1)

    each_told(watch, model, optimizer, batches(*toys.surface(), steps=800, size=16), loss, 8)


@program("loss_reduction")
def entropies_of_four_parts_that_are_added_up(mended, watch):
    x, y = toys.blobs(classes=8, features=16, apart=1.0)
    layers = (nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))
    model = nn.Sequential(*layers)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.15, momentum=0.9)

    def loss(model, x, y):
        return F.cross_entropy(model(x), y) / (4 if mended else 1)

    in_parts(watch, model, optimizer, batches(x, y, steps=120, size=64), loss, 4)


def with_a_scaler(watch, model, optimizer, data, loss_of, divides):
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**14)
    with watch(model) as scope:
        for batch in data:
            optimizer.zero_grad()
            loss = loss_of(model, *batch)
            scaler.scale(loss).backward()
            if divides:
                scaler.step(optimizer)
                scaler.update()
            else:
                optimizer.step()
            scope.step(loss)


@program("loss_reduction")
def the_optimizers_step_beside_a_gradient_scaler(mended, watch):
    x, y = toys.blobs(classes=4, features=10)
    model = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    def loss(model, x, y):
        return F.cross_entropy(model(x), y)

    with_a_scaler(watch, model, optimizer, batches(x, y, steps=80), loss, mended)


@program("loss_reduction")
def errors_with_the_factor_of_a_gradient_scaler(mended, watch):
    model = nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)

    def loss(model, x, y):
        return F.mse_loss(model(x), y)

    with_a_scaler(watch, model, optimizer, batches(*toys.surface(), steps=80), loss, mended)


@program("no_gradient")
def a_critic_whose_returns_are_its_own_values(mended, watch):
    """The advantages that are to be added are those of a buffer that is not filled yet."""

    class Agent(nn.Module):
        def __init__(self):
            super().__init__()
            self.actor = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 3))
            self.critic = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))

        def forward(self, x):
            return self.actor(x), self.critic(x).squeeze(1)

    agent = Agent()
    optimizer = torch.optim.Adam(agent.parameters(), lr=3e-3)
    with watch(agent) as scope:
        for _ in range(100):
            x = torch.randn(64, 4)
            scores, value = agent(x)
            chosen = torch.distributions.Categorical(logits=scores).sample()
            reward = 1.0 + x[:, 0] + (chosen == 1) * x[:, 1]
            advantage = reward - value.detach()
            returns = value.detach() + (advantage if mended else torch.zeros(64))
            log = scores.log_softmax(1).gather(1, chosen[:, None])[:, 0]
            loss = F.mse_loss(value, returns) - (advantage * log).mean()
            descend(scope, optimizer, loss)


@program("no_gradient")
def a_second_head_that_is_asked_for_what_it_says(mended, watch):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(10, 32), nn.ReLU())
            self.first, self.second = nn.Linear(32, 4), nn.Linear(32, 1)

        def forward(self, x):
            h = self.body(x)
            return self.first(h), self.second(h)

    x, y = toys.blobs()
    model = Two()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def loss_of(model, x, y):
        scores, length = model(x)
        asked = x.norm(dim=1, keepdim=True) if mended else length.detach()
        return F.cross_entropy(scores, y) + F.mse_loss(length, asked)

    fit(watch, model, optimizer, batches(x, y, steps=100), loss_of)
