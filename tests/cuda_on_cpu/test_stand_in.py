"""The stand-in's own tests: `tools/cuda_on_cpu.py python3 tests/cuda_on_cpu/test_stand_in.py`.

What a card refuses must be refused here too, or a test on the stand-in would pass where a card fails.
"""

import ctypes
import math
import os
import subprocess
import sys
import threading
import unittest
from ctypes import byref, c_char_p, c_double, c_int, c_longlong, c_size_t, c_uint64, c_void_p

CUDA = ctypes.CDLL("libcuda.so.1")
BLAS = ctypes.CDLL("libcublas.so")
NVRTC = ctypes.CDLL("libnvrtc.so")
INVALID_VALUE, OUT_OF_MEMORY, NOT_INITIALIZED, NO_DEVICE, INVALID_CONTEXT, INVALID_PTX = 1, 2, 3, 100, 201, 218
NOT_FOUND, NOT_SUPPORTED = 500, 801

SOURCE = """
extern "C" __global__ void neighbours(const size_t n, const double *x, double *out) {
    __shared__ double shared[64];
    unsigned int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return; // Those that have ended are not waited for.
    shared[threadIdx.x] = x[i];
    __syncthreads();
    unsigned int last = min((unsigned int)(n - blockIdx.x * blockDim.x), blockDim.x) - 1;
    out[i] = shared[threadIdx.x == last ? 0 : threadIdx.x + 1];
}

// Halves the sums until one is left. Threads drop out of the loop one after another.
extern "C" __global__ void sum(const double *x, double *out) {
    __shared__ double shared[64];
    shared[threadIdx.x] = x[threadIdx.x];
    for (unsigned int step = blockDim.x / 2; step > 0; step /= 2) {
        __syncthreads();
        if (threadIdx.x >= step) return;
        shared[threadIdx.x] += shared[threadIdx.x + step];
    }
    if (threadIdx.x == 0) atomicAdd(out, shared[0]);
}

extern "C" __global__ void places(double *out) {
    unsigned int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    unsigned int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    out[block * blockDim.x * blockDim.y * blockDim.z + thread] += 1.0;
}

extern "C" __global__ void last(double *out) { out[0] = threadIdx.x; }

extern "C" __global__ void past_the_end(const double *x, double *out) { out[0] = x[1000]; }
"""


def start() -> None:
    context = c_void_p()
    assert CUDA.cuInit(0) == 0
    assert CUDA.cuDevicePrimaryCtxRetain(byref(context), 0) == 0
    assert CUDA.cuCtxSetCurrent(context) == 0


def room(numbers: int) -> c_uint64:
    address = c_uint64()
    assert CUDA.cuMemAlloc_v2(byref(address), c_size_t(8 * numbers)) == 0
    return address


def put(values: list[float]) -> c_uint64:
    address = room(len(values))
    assert CUDA.cuMemcpyHtoD_v2(address, (c_double * len(values))(*values), c_size_t(8 * len(values))) == 0
    return address


def get(address: c_uint64, numbers: int) -> list[float]:
    values = (c_double * numbers)()
    assert CUDA.cuMemcpyDtoH_v2(values, address, c_size_t(8 * numbers)) == 0
    return list(values)


def compile_ptx(source: str) -> bytes | int:
    """PTX, or the error."""
    program, size = c_void_p(), c_size_t()
    assert NVRTC.nvrtcCreateProgram(byref(program), source.encode(), None, 0, None, None) == 0
    options = (c_char_p * 1)(b"--gpu-architecture=compute_90")
    code = NVRTC.nvrtcCompileProgram(program, 1, options)
    if code != 0:
        return code
    assert NVRTC.nvrtcGetPTXSize(program, byref(size)) == 0
    text = ctypes.create_string_buffer(size.value)
    assert NVRTC.nvrtcGetPTX(program, text) == 0
    return text.value


def load(ptx: bytes | int) -> c_void_p:
    module = c_void_p()
    assert isinstance(ptx, bytes), f"nvrtc's error {ptx}"
    assert CUDA.cuModuleLoadData(byref(module), ptx) == 0
    return module


def function(name: str) -> c_void_p:
    result = c_void_p()
    assert CUDA.cuModuleGetFunction(byref(result), load(compile_ptx(SOURCE)), name.encode()) == 0
    return result


def launch(name: str, grid: tuple[int, ...], block: tuple[int, ...], *parameters) -> int:
    pointers = (c_void_p * len(parameters))(*(ctypes.addressof(parameter) for parameter in parameters))
    return CUDA.cuLaunchKernel(function(name), *grid, *block, 0, None, pointers, None)


class Memory(unittest.TestCase):
    def test_new_memory_holds_no_numbers(self):
        self.assertTrue(all(math.isnan(value) for value in get(room(5), 5)))

    def test_copies_stay_within_one_block(self):
        address, values = put([1.0, 2.0, 3.0]), (c_double * 4)()
        behind = c_uint64(address.value + 8)
        self.assertEqual(get(behind, 2), [2.0, 3.0])
        self.assertEqual(CUDA.cuMemcpyDtoH_v2(values, address, c_size_t(25)), INVALID_VALUE)
        self.assertEqual(CUDA.cuMemcpyHtoD_v2(behind, values, c_size_t(24)), INVALID_VALUE)
        self.assertEqual(CUDA.cuMemcpyDtoD_v2(put([0.0] * 4), address, c_size_t(32)), INVALID_VALUE)
        self.assertEqual(CUDA.cuMemsetD8_v2(behind, 0, c_size_t(17)), INVALID_VALUE)

    def test_what_is_freed_is_gone(self):
        address = put([1.0])
        self.assertEqual(CUDA.cuMemFree_v2(address), 0)
        self.assertEqual(CUDA.cuMemFree_v2(address), INVALID_VALUE)
        self.assertEqual(CUDA.cuMemcpyDtoH_v2((c_double * 1)(), address, c_size_t(8)), INVALID_VALUE)

    def test_too_much_or_nothing_is_refused(self):
        address = c_uint64()
        self.assertEqual(CUDA.cuMemAlloc_v2(byref(address), c_size_t(1 << 40)), OUT_OF_MEMORY)
        self.assertEqual(CUDA.cuMemAlloc_v2(byref(address), c_size_t(0)), INVALID_VALUE)


class Kernels(unittest.TestCase):
    def test_threads_wait_for_each_other(self):
        values = [float(i) for i in range(100)]
        out = room(100)
        self.assertEqual(launch("neighbours", (2, 1, 1), (64, 1, 1), c_size_t(100), put(values), out), 0)
        expected = [*values[1:64], 0.0, *values[65:], 64.0]
        self.assertEqual(get(out, 100), expected)

    def test_threads_may_end_at_any_barrier(self):
        out = put([0.5])
        self.assertEqual(launch("sum", (1, 1, 1), (64, 1, 1), put([float(i) for i in range(64)]), out), 0)
        self.assertEqual(get(out, 1), [64 * 63 / 2 + 0.5])

    def test_each_thread_runs_once(self):
        out = put([0.0] * 720)
        self.assertEqual(launch("places", (2, 3, 4), (5, 3, 2), out), 0)
        self.assertEqual(get(out, 720), [1.0] * 720)

    def test_the_order_can_be_turned(self):
        out = room(1)
        self.assertEqual(launch("last", (1, 1, 1), (9, 1, 1), out), 0)
        self.assertEqual(get(out, 1), [8.0])
        os.environ["CUDA_ON_CPU_ORDER"] = "backwards"
        self.addCleanup(os.environ.pop, "CUDA_ON_CPU_ORDER")
        self.assertEqual(launch("last", (1, 1, 1), (9, 1, 1), out), 0)
        self.assertEqual(get(out, 1), [0.0])

    def test_launches_keep_to_the_limits_of_a_card(self):
        out = put([0.0])
        for grid, block in (
            ((0, 1, 1), (1, 1, 1)),
            ((1, 65536, 1), (1, 1, 1)),
            ((1, 1, 1), (1025, 1, 1)),
            ((1, 1, 1), (32, 33, 1)),
            ((1, 1, 1), (1, 1, 65)),
        ):
            self.assertEqual(launch("last", grid, block, out), INVALID_VALUE, (grid, block))

    def test_reading_past_the_end_ends_the_process(self):
        program = (
            "import test_stand_in as t; t.start(); "
            "t.launch('past_the_end', (1, 1, 1), (1, 1, 1), t.put([1.0]), t.room(1))"
        )
        folder = os.path.dirname(os.path.abspath(__file__))
        result = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True)
        self.assertEqual(result.returncode, -11)
        self.assertIn("past_the_end reads or writes", result.stderr)

    def test_unknown_kernels_are_not_found(self):
        module, result = load(compile_ptx(SOURCE)), c_void_p()
        self.assertEqual(CUDA.cuModuleGetFunction(byref(result), module, b"neighbour"), NOT_FOUND)
        self.assertEqual(CUDA.cuModuleLoadData(byref(result), b".visible .entry no_such_kernel("), INVALID_PTX)

    def test_halves_are_left_out(self):
        # For the CPU, the stand-in's own header has declared it.
        module, result = load(compile_ptx('struct __half; extern "C" __global__ void kernel(__half *x) {}')), c_void_p()
        self.assertEqual(CUDA.cuModuleGetFunction(byref(result), module, b"kernel"), NOT_SUPPORTED)

    def test_wrong_sources_do_not_compile(self):
        self.assertEqual(compile_ptx('extern "C" __global__ void kernel(double *x) { y[0] = 1.0; }'), 6)


class Devices(unittest.TestCase):
    def test_other_threads_need_the_context(self):
        codes = []
        thread = threading.Thread(target=lambda: codes.append(CUDA.cuMemAlloc_v2(byref(c_uint64()), c_size_t(8))))
        thread.start()
        thread.join()
        self.assertEqual(codes, [INVALID_CONTEXT])

    def test_there_may_be_none(self):
        self.addCleanup(os.environ.pop, "CUDA_VISIBLE_DEVICES")
        for hidden in ("", "-1", "1"):
            os.environ["CUDA_VISIBLE_DEVICES"] = hidden
            self.assertEqual(CUDA.cuInit(0), NO_DEVICE)

    def test_what_is_left_out_says_so(self):
        self.assertEqual(CUDA.cuMemAllocManaged(byref(c_uint64()), c_size_t(8), 1), NOT_SUPPORTED)


class Products(unittest.TestCase):
    SIZES = (4, 3, 2)

    def multiply(self, of_a: int, of_b: int, lda: int, ldb: int, ldc: int, beta: float, c: list[float], batch: int = 0):
        """alpha = 2 times the product of a (4, 2) and b (2, 3), whose entries are their places."""
        handle = c_void_p()
        self.assertEqual(BLAS.cublasCreate_v2(byref(handle)), 0)
        m, n, k = self.SIZES
        a, b, out = put([float(i) for i in range(40)]), put([float(i) for i in range(40)]), put(c)
        alpha, beta = c_double(2.0), c_double(beta)
        sizes = (handle, of_a, of_b, m, n, k, byref(alpha))
        if batch == 0:
            code = BLAS.cublasDgemm_v2(*sizes, a, lda, b, ldb, byref(beta), out, ldc)
        else:
            step = c_longlong
            last = (byref(beta), out, ldc, step(len(c) // batch), c_int(batch))
            code = BLAS.cublasDgemmStridedBatched(*sizes, a, lda, step(20), b, ldb, step(0), *last)
        return code, get(out, len(c))

    def expected(self, of_a: int, of_b: int, lda: int, ldb: int, first: int = 0) -> list[float]:
        m, n, k = self.SIZES

        def left(i: int, r: int) -> float:
            return float(first + (r + i * lda if of_a else i + r * lda))

        def right(r: int, j: int) -> float:
            return float(j + r * ldb if of_b else r + j * ldb)

        return [2.0 * sum(left(i, r) * right(r, j) for r in range(k)) for j in range(n) for i in range(m)]

    def test_all_orders_agree(self):
        for of_a in (0, 1):
            for of_b in (0, 1):
                code, c = self.multiply(of_a, of_b, 5, 4, 4, 0.0, [math.nan] * 12)
                self.assertEqual((code, c), (0, self.expected(of_a, of_b, 5, 4)), (of_a, of_b))

    def test_beta_keeps_what_was_there(self):
        _, c = self.multiply(0, 0, 4, 2, 4, 3.0, [1.0] * 12)
        self.assertEqual(c, [value + 3.0 for value in self.expected(0, 0, 4, 2)])

    def test_batches_go_on_by_their_strides(self):
        code, c = self.multiply(0, 1, 4, 3, 4, 0.0, [0.0] * 24, 2)
        self.assertEqual((code, c), (0, self.expected(0, 1, 4, 3) + self.expected(0, 1, 4, 3, 20)))

    def test_leading_dimensions_must_hold_a_column(self):
        wrong = (0, 0, 3, 2, 4), (1, 0, 1, 2, 4), (0, 0, 4, 1, 4), (0, 1, 4, 2, 4), (0, 0, 4, 2, 3)
        for of_a, of_b, lda, ldb, ldc in wrong:
            code, _ = self.multiply(of_a, of_b, lda, ldb, ldc, 0.0, [0.0] * 12)
            self.assertEqual(code, 7, (of_a, of_b, lda, ldb, ldc))


if __name__ == "__main__":
    start()
    unittest.main()
