"""A saved model gives the same values in Python: by the reference's formulas, in numpy."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The files' folder, and the lists that the program printed."""
    folder = tmp_path_factory.mktemp("saved")
    command = ["cargo", "run", "--quiet", "--example", "save_for_python", "--", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return folder, [np.array(json.loads(line)) for line in done.stdout.splitlines()]


def layers(tensors, name):
    """Weights and biases in order, whatever number stands in their names."""
    names = sorted(key for key in tensors if key.startswith(name) and key.endswith(".weight"))
    return [(tensors[key].astype(float), tensors[key.replace(".weight", ".bias")].astype(float)) for key in names]


def perceptron(x, layers, activation):
    *hidden, (weight, bias) = layers
    for w, b in hidden:
        x = activation(x @ w.T + b)
    return (x @ weight.T + bias)[:, 0]


def transposed_convolution(x, weight, bias, stride, padding):
    """By the definition: each input pixel adds its window to the output."""
    n, _, height, width = x.shape
    _, outputs, k, _ = weight.shape
    size = [(side - 1) * stride + k for side in (height, width)]
    y = np.zeros((n, outputs, *size)) + bias[:, None, None]
    for i in range(height):
        for j in range(width):
            window = np.einsum("nc,cokl->nokl", x[:, :, i, j], weight)
            y[:, :, i * stride : i * stride + k, j * stride : j * stride + k] += window
    return y[:, :, padding : size[0] - padding, padding : size[1] - padding]


def test_an_energy_has_the_same_values_in_numpy(saved):
    folder, (x, energies, *_) = saved
    tensors = load_file(folder / "energy.safetensors")
    assert set(tensors) == {f"lin{n}.{part}" for n in (1, 2, 3) for part in ("weight", "bias")}
    found = perceptron(x.reshape(5, 2), layers(tensors, "lin"), lambda z: np.logaddexp(z, 0))
    np.testing.assert_allclose(found, energies, rtol=1e-5, atol=1e-5)


def test_a_latent_model_has_the_same_values_in_numpy(saved):
    folder, (_, _, z, energies, images, *_) = saved
    z = z.reshape(3, 4)

    def leaky(slope):
        return lambda z: np.where(z > 0, z, slope * z)

    prior = layers(load_file(folder / "prior.safetensors"), "ebm.")
    found = perceptron(z, prior, leaky(0.2)) + 0.5 * (z**2).sum(axis=1)
    np.testing.assert_allclose(found, energies, rtol=1e-5, atol=1e-5)

    values = z[:, :, None, None]
    generator = layers(load_file(folder / "generator.safetensors"), "gen.")
    for n, ((weight, bias), (stride, padding)) in enumerate(zip(generator, [(1, 0), (2, 1), (2, 1), (2, 1)])):
        values = transposed_convolution(values, weight, bias, stride, padding)
        values = leaky(0.1)(values) if n < 3 else np.tanh(values)
    np.testing.assert_allclose(values.reshape(-1), images, rtol=1e-5, atol=1e-5)


def test_a_tilted_mixture_of_whitened_rows_has_the_same_values_in_numpy(saved):
    folder, (*_, rows, energies) = saved
    units = load_file(folder / "units.safetensors")
    z = np.linalg.solve(units["lower"], ((rows.reshape(5, 2) - units["mean"]) / units["std"]).T).T
    tilt = perceptron(z, layers(load_file(folder / "tilt.safetensors"), "lin"), np.tanh)
    mixture = load_file(folder / "mixture.safetensors")
    densities = np.zeros(len(z))
    for weight, mean, covariance in zip(mixture["weights"], mixture["means"], mixture["covariances"]):
        square = np.einsum("nd,de,ne->n", z - mean, np.linalg.inv(covariance), z - mean)
        densities += weight * np.exp(-square / 2) / np.sqrt(np.linalg.det(2 * np.pi * covariance))
    np.testing.assert_allclose(tilt - np.log(densities), energies, rtol=1e-4, atol=1e-4)
