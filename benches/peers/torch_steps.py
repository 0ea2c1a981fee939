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


def training(loss, sizes=harness.WIDE, n=harness.BATCH, lr=1e-3, activation=nn.Softplus):
    def fresh():
        torch.manual_seed(0)
        net = mlp(sizes, activation)
        params = list(net.parameters())
        ema = [p.detach().clone() for p in params]
        # fused was faster than foreach and the plain loop on every case measured.
        adam = torch.optim.Adam(params, lr=lr, fused=True)
        x = torch.randn(n, sizes[0])

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


CASES = {f"ed_m{m}": training(functools.partial(ed_loss, m=m)) for m in (1, 4, 32, 512)}
CASES |= {
    "sm": training(sm_loss),
    "sm_carried": training(sm_carried_loss),
    "cd": training(cd_loss),
    "wstab": training(
        functools.partial(ed_loss, m=4), harness.NARROW, harness.NARROW_BATCH, 1e-2, nn.SiLU
    ),
    "langevin128": sampling,
}

if __name__ == "__main__":
    harness.run(CASES, OPTS)
