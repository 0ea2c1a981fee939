// The part of the CUDA language that dfdx's kernels use, for an ordinary C++ compiler.
//
// A kernel becomes a function that does the work of one thread. block.cpp sets the indices below and calls it
// for each thread in turn. One kernel runs at a time, so that the indices can be plain variables.
#pragma once

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <type_traits>
#include <utility>

#include "cuda_fp16.h"

#define __CUDA_ARCH__ 900
#define __global__
#define __device__ inline
#define __host__
#define __forceinline__
// Blocks run one after another: what a block shares may as well stay.
#define __shared__ static

struct uint3 {
    unsigned int x, y, z;
};

extern uint3 threadIdx, blockIdx, blockDim, gridDim;

extern "C" void cuda_on_cpu_barrier();
inline void __syncthreads() { cuda_on_cpu_barrier(); }

inline int max(int a, int b) { return a > b ? a : b; }
inline unsigned int min(unsigned int a, unsigned int b) { return a < b ? a : b; }
inline size_t min(size_t a, size_t b) { return a < b ? a : b; }

// Threads are interrupted at barriers only: nothing can come between the steps of an atomic operation.
template <class T> using Same = std::enable_if_t<true, T>; // Converts to what the address says.
template <class T> T atomicAdd(T *address, Same<T> value) {
    T old = *address;
    *address = old + value;
    return old;
}
template <class T> T atomicMax(T *address, Same<T> value) {
    T old = *address;
    *address = old > value ? old : value;
    return old;
}
template <class T> T atomicMin(T *address, Same<T> value) {
    T old = *address;
    *address = old < value ? old : value;
    return old;
}
template <class T> T atomicCAS(T *address, Same<T> expected, Same<T> value) {
    T old = *address;
    if (old == expected) *address = value;
    return old;
}

template <class To, class From> To same_bits(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
inline int __float_as_int(float x) { return same_bits<int>(x); }
inline unsigned int __float_as_uint(float x) { return same_bits<unsigned int>(x); }
inline float __int_as_float(int x) { return same_bits<float>(x); }
inline float __uint_as_float(unsigned int x) { return same_bits<float>(x); }
inline long long __double_as_longlong(double x) { return same_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return same_bits<double>(x); }

// What the driver knows of a kernel. A library of kernels ends its list with an entry without a name.
struct Kernel {
    const char *name;
    void (*call)(void **parameters);
};

// Reads the parameters where the driver's caller put them, and calls the kernel for one thread.
template <auto kernel> struct Entry;
template <class... Types, void (*kernel)(Types...)> struct Entry<kernel> {
    template <size_t... i> static void read(void **parameters, std::index_sequence<i...>) {
        kernel(*static_cast<std::remove_const_t<Types> *>(parameters[i])...);
    }
    static void call(void **parameters) { read(parameters, std::index_sequence_for<Types...>()); }

    // Kernels for halves are known by name, but cannot be called: see cuda_fp16.h.
    template <class Type> static constexpr bool is_half =
        std::is_same_v<std::remove_const_t<std::remove_pointer_t<std::remove_const_t<Type>>>, __half>;
    static constexpr auto function = (is_half<Types> || ...) ? nullptr : call;
};
