// A half that is a float in disguise: enough for kernels' sources to compile, too much to be right.
//
// The crate computes in f32 and f64. Kernels that take halves are therefore left out (see kernel.h).
#pragma once

#include <math.h>

struct __half {
    float value;
    __half() = default;
    template <class Number> __half(Number number) : value(static_cast<float>(number)) {}
    operator float() const { return value; }
    __half &operator+=(__half other) { return *this = __half(value + other.value); }
    __half &operator-=(__half other) { return *this = __half(value - other.value); }
    __half &operator*=(__half other) { return *this = __half(value * other.value); }
    __half &operator/=(__half other) { return *this = __half(value / other.value); }
};
inline __half operator+(__half a, __half b) { return a.value + b.value; }
inline __half operator-(__half a, __half b) { return a.value - b.value; }
inline __half operator*(__half a, __half b) { return a.value * b.value; }
inline __half operator/(__half a, __half b) { return a.value / b.value; }
inline __half operator-(__half a) { return -a.value; }

inline __half __float2half(float a) { return a; }
inline float __half2float(__half a) { return a; }
inline unsigned short __half_as_ushort(__half) { return 0; }
inline __half __ushort_as_half(unsigned short) { return 0.0f; }
inline bool __hisnan(__half a) { return isnan(a.value); }
inline __half __hmax_nan(__half a, __half b) { return fmaxf(a, b); }
inline __half __hmin_nan(__half a, __half b) { return fminf(a, b); }
inline __half __habs(__half a) { return fabsf(a); }
inline __half hcos(__half a) { return cosf(a); }
inline __half hsin(__half a) { return sinf(a); }
inline __half hsqrt(__half a) { return sqrtf(a); }
inline __half hexp(__half a) { return expf(a); }
inline __half hlog(__half a) { return logf(a); }
