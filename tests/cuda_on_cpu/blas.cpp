// The stand-in for libcublas: products of matrices in f32 and f64, column by column as in Fortran.
//
// The checks are those of the documentation: what it calls an error is one here.
#include <cuda.h>
#include <stddef.h>

#include <vector>

namespace {

enum Status { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7 };
enum Operation { AS_IT_IS = 0, TRANSPOSED = 1, CONJUGATED = 2 };
struct Handle {};

template <class T> struct Matrix {
    T *values;
    long long leading; // from column to column
    bool transposed;
    T &operator()(int row, int column) const {
        return transposed ? values[row * leading + column] : values[column * leading + row];
    }
};

bool fits(int operation, int rows, int columns, int leading) {
    int stored = operation == AS_IT_IS ? rows : columns;
    return operation >= AS_IT_IS && operation <= CONJUGATED && leading >= (stored > 1 ? stored : 1);
}

// c = alpha a b + beta c, `batch` times.
template <class T>
Status product(Handle *handle, int of_a, int of_b, int m, int n, int k, const T *alpha, const T *a, int lda,
               long long stride_a, const T *b, int ldb, long long stride_b, const T *beta, T *c, int ldc,
               long long stride_c, int batch) {
    if (handle == nullptr) return NOT_INITIALIZED;
    bool sizes = m >= 0 && n >= 0 && k >= 0 && batch >= 0;
    if (!sizes || !fits(of_a, m, k, lda) || !fits(of_b, k, n, ldb) || !fits(AS_IT_IS, m, n, ldc)) return INVALID_VALUE;
    if (alpha == nullptr || beta == nullptr) return INVALID_VALUE;
    std::vector<T> column(m);
    for (int i = 0; i < batch; i++) {
        Matrix<const T> left{a + i * stride_a, lda, of_a != AS_IT_IS};
        Matrix<const T> right{b + i * stride_b, ldb, of_b != AS_IT_IS};
        Matrix<T> result{c + i * stride_c, ldc, false};
        for (int q = 0; q < n; q++) {
            column.assign(m, 0);
            for (int r = 0; r < k; r++) {
                T factor = right(r, q);
                for (int p = 0; p < m; p++) column[p] += left(p, r) * factor;
            }
            // Where beta is 0, what c held is not read: it may be no number.
            for (int p = 0; p < m; p++)
                result(p, q) = *alpha * column[p] + (*beta == 0 ? 0 : *beta * result(p, q));
        }
    }
    return SUCCESS;
}

} // namespace

extern "C" {

Status cublasCreate_v2(Handle **handle) {
    CUcontext context = nullptr;
    if (cuCtxGetCurrent(&context) != CUDA_SUCCESS || context == nullptr) return NOT_INITIALIZED;
    *handle = new Handle;
    return SUCCESS;
}

Status cublasDestroy_v2(Handle *handle) {
    if (handle == nullptr) return NOT_INITIALIZED;
    delete handle;
    return SUCCESS;
}

Status cublasSetStream_v2(Handle *handle, CUstream) { return handle == nullptr ? NOT_INITIALIZED : SUCCESS; }

// One product, and many whose matrices follow each other at fixed distances.
#define PRODUCTS(one, many, T)                                                                                        \
    Status one(Handle *handle, int of_a, int of_b, int m, int n, int k, const T *alpha, const T *a, int lda,          \
               const T *b, int ldb, const T *beta, T *c, int ldc) {                                                   \
        return product(handle, of_a, of_b, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0, 1);                 \
    }                                                                                                                 \
    Status many(Handle *handle, int of_a, int of_b, int m, int n, int k, const T *alpha, const T *a, int lda,         \
                long long next_a, const T *b, int ldb, long long next_b, const T *beta, T *c, int ldc,                \
                long long next_c, int batch) {                                                                        \
        return product(handle, of_a, of_b, m, n, k, alpha, a, lda, next_a, b, ldb, next_b, beta, c, ldc, next_c,      \
                       batch);                                                                                        \
    }
PRODUCTS(cublasSgemm_v2, cublasSgemmStridedBatched, float)
PRODUCTS(cublasDgemm_v2, cublasDgemmStridedBatched, double)
}
