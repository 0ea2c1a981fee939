"""Time of one training step in eager PyTorch on the CPU.

`sm` is the usual double backward. `sm_carried` (value, Jacobian and Laplacian carried
forward by hand, as the JAX peer does) is kept as a measurable alternative.
"""

import functools

import harness

OPTS = harness.options()

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

torch.set_num_threads(OPTS.threads)


def mlp(sizes, activation=nn.Softplus):
    layers = []
    for fan_in, fan_out in zip(sizes, sizes[1:]):
        layers += [nn.Linear(fan_in, fan_out), activation()]
    return nn.Sequential(*layers[:-1])


class Residual(nn.Module):
    """Three residual blocks of SiLU, and |x|^2 / 2."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 128), nn.Linear(128, 1)
        self.blocks = nn.ModuleList(nn.Linear(128, 128) for _ in range(3))

    def forward(self, x):
        h = F.silu(self.first(x))
        for block in self.blocks:
            h = h + F.silu(block(h))
        return self.last(h) + 0.5 * (x**2).sum(dim=1, keepdim=True)


def convolutional():
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 16, 5, 2, 2), nn.SiLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.SiLU(),
        nn.Flatten(), nn.Linear(7 * 7 * 32, 64), nn.SiLU(), nn.Linear(64, 1),
    )  # fmt: skip


def ed_loss(net, x, m, s=1.0):
    n, dim = x.shape
    y = x + s * torch.randn_like(x)
    neg = y[:, None] + s * torch.randn(n, m, dim)
    u = net(torch.cat([x[:, None], neg], dim=1).flatten(0, 1)).view(n, m + 1)
    # The first column is U(x) - U(x) = 0, the log w term for w = 1.
    return (u[:, :1] - u).logsumexp(dim=1).mean()


def sm_loss(net, x):
    x = x.detach().requires_grad_()
    (grad,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
    lap = 0.0
    for i in range(x.shape[1]):
        (row,) = torch.autograd.grad(grad[:, i].sum(), x, create_graph=True)
        lap = lap + row[:, i]
    return (0.5 * (grad**2).sum(dim=1) - lap).mean()


def sm_carried_loss(net, x):
    n, dim = x.shape
    first, *rest = (layer for layer in net if isinstance(layer, nn.Linear))
    h = first(x)
    jac = first.weight.t()[:, None].expand(dim, n, -1)
    lap = torch.zeros_like(h)
    for layer in rest:
        slope = torch.sigmoid(h)
        lap = slope * lap + slope * (1 - slope) * (jac**2).sum(dim=0)
        jac = slope * jac
        rows = torch.cat([F.softplus(h)[None], lap[None], jac]).flatten(0, 1)
        rows = (rows @ layer.weight.t()).view(dim + 2, n, -1)
        h, lap, jac = rows[0] + layer.bias, rows[1], rows[2:]
    return (0.5 * (jac[..., 0] ** 2).sum(dim=0) - lap[:, 0]).mean()


def langevin(net, x, steps):
    h = harness.LANGEVIN_STEP
    for _ in range(steps):
        x = x.detach().requires_grad_()
        (grad,) = torch.autograd.grad(net(x).sum(), x)
        x = torch.add(x.detach(), grad, alpha=-0.5 * h)
        x.add_(torch.randn_like(x), alpha=h**0.5)
    return x


def cd_loss(net, x):
    neg = langevin(net, x, harness.CD_STEPS)
    pos_u, neg_u = net(torch.cat([x, neg])).chunk(2)
    penalty = harness.CD_PENALTY * (pos_u**2 + neg_u**2).mean()
    return pos_u.mean() - neg_u.mean() + penalty


def training(loss, make=None, shape=(harness.BATCH, harness.WIDE[0]), lr=1e-3):
    make = make or functools.partial(mlp, harness.WIDE)

    def fresh():
        torch.manual_seed(0)
        net = make()
        params = list(net.parameters())
        ema = [p.detach().clone() for p in params]
        # fused was faster than foreach and the plain loop on every case measured.
        adam = torch.optim.Adam(params, lr=lr, fused=True)
        x = torch.randn(*shape)

        def step():
            adam.zero_grad(set_to_none=True)
            loss(net, x).backward()
            adam.step()
            with torch.no_grad():
                torch._foreach_lerp_(ema, params, 1 - harness.EMA_DECAY)

        return step

    return fresh


def sampling():
    torch.manual_seed(0)
    net = mlp(harness.WIDE).requires_grad_(False)
    x = torch.randn(harness.BATCH, harness.WIDE[0])

    def step():
        nonlocal x
        x = langevin(net, x, 1)

    return step


# The latent model


class Generator(nn.Module):
    """28 x 28 pixels by four transposed convolutions, as the paper's MNIST experiment has them."""

    def __init__(self, latent, features):
        super().__init__()
        channels = [latent, 8 * features, 4 * features, 2 * features, 1]
        windows = [(4, 1, 0), (3, 2, 1), (4, 2, 1), (4, 2, 1)]
        layers = []
        for inputs, outputs, window in zip(channels, channels[1:], windows):
            layers += [nn.ConvTranspose2d(inputs, outputs, *window), nn.LeakyReLU(0.1)]
        self.gen = nn.Sequential(*layers[:-1], nn.Tanh())

    def forward(self, z):
        return self.gen(z[..., None, None])


def latent_prior(latent, width=200):
    widths = [latent, width, width, width, 1]
    layers = []
    for fan_in, fan_out in zip(widths, widths[1:]):
        layers += [nn.Linear(fan_in, fan_out), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1])


def generator(wanted):
    """The generator's passes at the paper's size: forward, with the gradient of z alone, or with all."""

    def fresh():
        torch.manual_seed(0)
        net = Generator(64, 128)
        net.requires_grad_(wanted == "full")
        z, images = torch.randn(32, 64), torch.randn(32, 1, 28, 28)

        def step():
            if wanted == "forward":
                with torch.no_grad():
                    return net(z)
            if wanted == "input":
                moving = z.detach().requires_grad_()
                return torch.autograd.grad(((net(moving) - images) ** 2).sum(), moving)
            net.zero_grad(set_to_none=True)
            ((net(z) - images) ** 2).sum().backward()

        return step

    return fresh


def lebm_mini(latent=32, features=16, batch=64, steps=20, noise=0.1, std=0.3):
    """One iteration: posterior chain, generator, prior. No weight's gradient is asked for in the chain."""
    torch.manual_seed(0)
    net, prior = Generator(latent, features), latent_prior(latent)
    mean = [p.detach().clone() for p in prior.parameters()]
    adams = [
        torch.optim.Adam(module.parameters(), lr=rate, betas=(0.5, 0.999), fused=True)
        for module, rate in ((net, 1e-4), (prior, 5e-5))
    ]
    images = torch.randn(batch, 1, 28, 28)

    def energy(z):
        return prior(z)[:, 0] + 0.5 * (z**2).sum(dim=1)

    def step():
        for module in (net, prior):
            module.requires_grad_(False)
        z = torch.randn(batch, latent)
        for _ in range(steps):
            z.requires_grad_()
            error = ((net(z) - images) ** 2).sum() / (2 * std**2)
            (slope,) = torch.autograd.grad(error + energy(z).sum(), z)
            z = z.detach() - 0.5 * noise**2 * slope + noise * torch.randn_like(z)
        for module in (net, prior):
            module.requires_grad_(True)
            module.zero_grad(set_to_none=True)
        loss = ((net(z) - images) ** 2).sum() / batch
        loss.backward()
        adams[0].step()
        loss = ed_loss(lambda points: energy(points)[:, None], z, 16, 0.5)
        loss.backward()
        adams[1].step()
        with torch.no_grad():
            torch._foreach_lerp_(mean, list(prior.parameters()), 1 - harness.EMA_DECAY)

    return step


CASES = {f"ed_m{m}": training(functools.partial(ed_loss, m=m)) for m in (1, 4, 32, 512)}
CASES |= {
    "sm": training(sm_loss),
    "sm_carried": training(sm_carried_loss),
    "cd": training(cd_loss),
    "wstab": training(
        functools.partial(ed_loss, m=4),
        functools.partial(mlp, harness.NARROW, nn.SiLU),
        (harness.NARROW_BATCH, harness.NARROW[0]),
        1e-2,
    ),
    "ed_residual": training(functools.partial(ed_loss, m=4), Residual),
    "sm_residual": training(sm_loss, Residual),
    "ed_conv28": training(functools.partial(ed_loss, m=4, s=0.3), convolutional, (32, 784)),
    "langevin128": sampling,
    "lebm_mini": lebm_mini,
}
CASES |= {f"generator32_{wanted}": generator(wanted) for wanted in ("forward", "input", "full")}

if __name__ == "__main__":
    harness.run(CASES, OPTS)
