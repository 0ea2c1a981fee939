"""Time of one training step in JAX: everything in one jitted call, buffers donated.

`sm` nests jvp in jvp, the fastest form that leaves the derivatives to JAX. `sm_hessian` takes
the trace of jax.hessian, and `sm_carried` is this library's own algorithm written out in
JAX: value, Jacobian and Laplacian carried forward by hand.
"""

import functools
import math
import os

import harness

OPTS = harness.options()
if OPTS.threads == 1:
    os.environ.setdefault(
        "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    )
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from jax import lax  # noqa: E402

softplus, sigmoid, silu = jax.nn.softplus, jax.nn.sigmoid, jax.nn.silu


def init_params(key, sizes):
    params = []
    for fan_in, fan_out in zip(sizes, sizes[1:]):
        key, w_key, b_key = jax.random.split(key, 3)
        bound = fan_in**-0.5
        w = jax.random.uniform(w_key, (fan_in, fan_out), minval=-bound, maxval=bound)
        b = jax.random.uniform(b_key, (fan_out,), minval=-bound, maxval=bound)
        params.append((w, b))
    return params


def energy(params, x, act=softplus):
    *hidden, (w_out, b_out) = params
    for w, b in hidden:
        x = act(x @ w + b)
    return (x @ w_out + b_out)[..., 0]


def residual_energy(params, x):
    (w, b), *blocks, (w_out, b_out) = params
    h = silu(x @ w + b)
    for w, b in blocks:
        h = h + silu(h @ w + b)
    return (h @ w_out + b_out)[..., 0] + 0.5 * jnp.sum(x**2, axis=-1)


def init_conv(key):
    """Two convolutions (height, width, channels in, out) and two dense layers."""
    shapes = [(5, 5, 1, 16), (3, 3, 16, 32), (7 * 7 * 32, 64), (64, 1)]
    params = []
    for shape in shapes:
        key, w_key, b_key = jax.random.split(key, 3)
        bound = math.prod(shape[:-1]) ** -0.5
        w = jax.random.uniform(w_key, shape, minval=-bound, maxval=bound)
        b = jax.random.uniform(b_key, shape[-1:], minval=-bound, maxval=bound)
        params.append((w, b))
    return params


def conv_energy(params, x):
    first, second, (w, b), (w_out, b_out) = params
    h = x.reshape(-1, 28, 28, 1)
    for (kernel, bias), pad in ((first, 2), (second, 1)):
        # Channels last: the layout that XLA's CPU backend is fastest with.
        h = lax.conv_general_dilated(
            h, kernel, (2, 2), [(pad, pad)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        h = silu(h + bias)
    h = silu(h.reshape(x.shape[0], -1) @ w + b)
    return (h @ w_out + b_out)[..., 0]


def ed_loss(params, x, key, m, energy=energy, s=1.0):
    n, dim = x.shape
    y_key, neg_key = jax.random.split(key)
    y = x + s * jax.random.normal(y_key, x.shape)
    neg = y[:, None] + s * jax.random.normal(neg_key, (n, m, dim))
    # One flat batch: a 3-D matmul takes a slower path in XLA's CPU backend.
    points = jnp.concatenate([x[:, None], neg], axis=1).reshape(-1, dim)
    u = energy(params, points).reshape(n, m + 1)
    # The first column is U(x) - U(x) = 0, the log w term for w = 1.
    return jnp.mean(jax.nn.logsumexp(u[:, :1] - u, axis=1))


def sm_carried_loss(params, x, key):
    n, dim = x.shape
    (w, b), *rest = params
    h = x @ w + b
    jac = jnp.broadcast_to(w[:, None], (dim, n, w.shape[1]))
    lap = jnp.zeros_like(h)
    for w, b in rest:
        slope = sigmoid(h)
        lap = slope * lap + slope * (1 - slope) * jnp.sum(jac**2, axis=0)
        jac = slope * jac
        rows = jnp.concatenate([softplus(h)[None], lap[None], jac])
        rows = (rows.reshape((dim + 2) * n, -1) @ w).reshape(dim + 2, n, -1)
        h, lap, jac = rows[0] + b, rows[1], rows[2:]
    return jnp.mean(-lap[:, 0] + 0.5 * jnp.sum(jac[..., 0] ** 2, axis=0))


def sm_loss(params, x, key, energy=energy):
    total = 0.0
    for direction in jnp.eye(x.shape[1]):
        v = jnp.broadcast_to(direction, x.shape)

        def slope(q, v=v):
            return jax.jvp(lambda r: energy(params, r), (q,), (v,))[1]

        first, second = jax.jvp(slope, (x,), (v,))
        total += 0.5 * first**2 - second
    return jnp.mean(total)


def sm_hessian_loss(params, x, key):
    u = functools.partial(energy, params)
    grad = jax.vmap(jax.grad(u))(x)
    lap = jnp.trace(jax.vmap(jax.hessian(u))(x), axis1=1, axis2=2)
    return jnp.mean(-lap + 0.5 * jnp.sum(grad**2, axis=1))


def langevin(params, x, key, steps):
    h = harness.LANGEVIN_STEP
    grad = jax.grad(lambda q: energy(params, q).sum())
    noise = jax.random.normal(key, (steps, *x.shape))
    return lax.fori_loop(0, steps, lambda i, q: q - 0.5 * h * grad(q) + h**0.5 * noise[i], x)


def cd_loss(params, x, key):
    neg = lax.stop_gradient(langevin(lax.stop_gradient(params), x, key, harness.CD_STEPS))
    pos_u, neg_u = jnp.split(energy(params, jnp.concatenate([x, neg])), 2)
    penalty = harness.CD_PENALTY * jnp.mean(pos_u**2 + neg_u**2)
    return jnp.mean(pos_u) - jnp.mean(neg_u) + penalty


def adam(params, grads, m, v, t, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    tree_map = jax.tree.map
    m = tree_map(lambda m, g: beta1 * m + (1 - beta1) * g, m, grads)
    v = tree_map(lambda v, g: beta2 * v + (1 - beta2) * g**2, v, grads)
    root = jnp.sqrt(1 - beta2**t)
    rate = lr / (1 - beta1**t)
    params = tree_map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + eps), params, m, v)
    return params, m, v


def train_step(loss, lr, state, x):
    params, m, v, ema, t, key = state
    key, noise_key = jax.random.split(key)
    t += 1
    value, grads = jax.value_and_grad(loss)(params, x, noise_key)
    params, m, v = adam(params, grads, m, v, t, lr)
    ema = jax.tree.map(lambda e, p: e + (1 - harness.EMA_DECAY) * (p - e), ema, params)
    return (params, m, v, ema, t, key), value


def stepper(jitted, state, arg):
    """A function without arguments that steps and waits for the result."""

    def step():
        nonlocal state
        state = jax.block_until_ready(jitted(state, arg))[0]

    return step


def training(loss, init=None, shape=(harness.BATCH, harness.WIDE[0]), lr=1e-3):
    init = init or functools.partial(init_params, sizes=harness.WIDE)
    # Jitted once: a case asked for again starts afresh but does not compile again.
    jitted = jax.jit(functools.partial(train_step, loss, lr), donate_argnums=0)

    def fresh():
        params = init(jax.random.key(0))
        m, v = (jax.tree.map(jnp.zeros_like, params) for _ in range(2))
        ema = jax.tree.map(jnp.copy, params)
        x = jax.random.normal(jax.random.key(1), shape)
        state = (params, m, v, ema, jnp.zeros(()), jax.random.key(2))
        return stepper(jitted, state, x)

    return fresh


def langevin_step(state, params):
    x, key = state
    key, noise_key = jax.random.split(key)
    return (langevin(params, x, noise_key, 1), key), None


def sampling():
    jitted = jax.jit(langevin_step, donate_argnums=0)

    def fresh():
        x = jax.random.normal(jax.random.key(1), (harness.BATCH, harness.WIDE[0]))
        params = init_params(jax.random.key(0), harness.WIDE)
        return stepper(jitted, (x, jax.random.key(2)), params)

    return fresh


# Annealed importance sampling, as `eval::Annealing` runs it: in z, where x = mean + z @ lower.T, from a
# standard normal density, with a pilot run for the step sizes.

PILOT_CHAINS, FIRST_MOVES, STEEPNESS, LEAPFROGS = 64, 30, 4.0, 2


def hmc_move(energies, z, known, beta, size, key):
    """One move at beta, and its acceptance; `known` holds U and its slopes at z."""
    p_key, u_key = jax.random.split(key)
    p = jax.random.normal(p_key, z.shape)

    def hamiltonian(z, p, u):
        return beta * u + 0.5 * (1 - beta) * jnp.sum(z**2, 1) + 0.5 * jnp.sum(p**2, 1)

    def slopes(z, own):
        return beta * own + (1 - beta) * z

    before = hamiltonian(z, p, known[0])
    moved, (u, own) = z, known
    p = p - 0.5 * size * slopes(moved, own)
    for step in range(LEAPFROGS):
        moved = moved + size * p
        u, own = energies(moved)
        share = 0.5 if step == LEAPFROGS - 1 else 1.0
        p = p - share * size * slopes(moved, own)
    change = before - hamiltonian(moved, p, u)
    accepted = jnp.log(jax.random.uniform(u_key, before.shape)) < change
    ratio = jnp.exp(change)
    acceptance = jnp.mean(jnp.where(jnp.isnan(ratio), 0.0, jnp.minimum(ratio, 1.0)))
    z = jnp.where(accepted[:, None], moved, z)
    u = jnp.where(accepted, u, known[0])
    return z, (u, jnp.where(accepted[:, None], own, known[1])), acceptance


def adapted(size, acceptance):
    factor = jnp.where(acceptance > 0.9, 1.1, jnp.where(acceptance < 0.6, 0.8, 1.0))
    return size * factor


def ladder(temperatures):
    at = jax.nn.sigmoid(STEEPNESS * jnp.linspace(-1.0, 1.0, temperatures + 1))
    return (at - at[0]) / (at[-1] - at[0])


def anneal(temperatures, chains, key, params, start):
    mean, lower = start

    def of_z(z):
        x = mean + z @ lower.T
        return energy(params, x) + 0.5 * jnp.sum(x**2, 1)

    def energies(z):
        u, back = jax.vjp(of_z, z)
        return u, back(jnp.ones_like(u))[0]

    def pilot_move(carry, at):
        z, known, size = carry
        beta, key = at
        z, known, acceptance = hmc_move(energies, z, known, beta, size, key)
        return (z, known, adapted(size, acceptance)), size

    def move(carry, at):
        z, known, weights = carry
        beta, change, size, key = at
        weights = weights + change * (0.5 * jnp.sum(z**2, 1) - known[0])
        z, known, _ = hmc_move(energies, z, known, beta, size, key)
        return (z, known, weights), None

    betas = ladder(temperatures)
    keys = jax.random.split(key, 6)
    z = jax.random.normal(keys[0], (PILOT_CHAINS, mean.size))
    carry = z, energies(z), jnp.ones(())
    first = jnp.full(FIRST_MOVES, betas[1]), jax.random.split(keys[1], FIRST_MOVES)
    carry, _ = lax.scan(pilot_move, carry, first)
    _, sizes = lax.scan(pilot_move, carry, (betas[1:], jax.random.split(keys[2], temperatures)))
    z = jax.random.normal(keys[3], (chains, mean.size))
    carry = z, energies(z), jnp.zeros(chains)
    rungs = betas[1:], jnp.diff(betas), sizes, jax.random.split(keys[4], temperatures)
    (_, _, weights), _ = lax.scan(move, carry, rungs)
    volume = 0.5 * mean.size * jnp.log(2 * jnp.pi) + jnp.sum(jnp.log(jnp.diag(lower)))
    return keys[5], jax.nn.logsumexp(weights) - jnp.log(chains) + volume


def annealing(temperatures=50, chains=1000, dim=10):
    """A whole run, its pilot run included."""
    jitted = jax.jit(functools.partial(anneal, temperatures, chains))

    def fresh():
        params = init_params(jax.random.key(0), [dim, 128, 128, 128, 128, 1])
        start = jnp.zeros(dim), 2.0 * jnp.eye(dim)
        key = jax.random.key(2)

        def step():
            nonlocal key
            key, log_z = jax.block_until_ready(jitted(key, params, start))
            return log_z

        return step

    return fresh


CASES = {f"ed_m{m}": training(functools.partial(ed_loss, m=m)) for m in (1, 4, 32, 512)}
CASES |= {
    "sm": training(sm_loss),
    "sm_hessian": training(sm_hessian_loss),
    "sm_carried": training(sm_carried_loss),
    "cd": training(cd_loss),
    "wstab": training(
        functools.partial(ed_loss, m=4, energy=functools.partial(energy, act=silu)),
        functools.partial(init_params, sizes=harness.NARROW),
        (harness.NARROW_BATCH, harness.NARROW[0]),
        1e-2,
    ),
    "ed_residual": training(functools.partial(ed_loss, m=4, energy=residual_energy)),
    "sm_residual": training(functools.partial(sm_loss, energy=residual_energy)),
    "ed_conv28": training(
        functools.partial(ed_loss, m=4, energy=conv_energy, s=0.3), init_conv, (32, 784)
    ),
    "langevin128": sampling(),
    "annealing": annealing(),
}

if __name__ == "__main__":
    harness.run(CASES, OPTS)
