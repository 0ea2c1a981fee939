// The driver's stand-in: the device, its context, streams and events.
//
// Every call is done when it returns, on whatever stream. Streams and events have therefore nothing to wait for, and
// an error in their use does not show.
#include "driver.h"

#include <stdlib.h>
#include <string.h>

#include <set>

std::recursive_mutex card;

namespace {

bool started = false;
int owners = 0;      // of the primary context
int generation = 0;  // of the primary context: it can be made again
thread_local int current = -1;
std::set<void *> handles; // of streams and events

CUcontext context() { return reinterpret_cast<CUcontext>(&owners); }

// CUDA_VISIBLE_DEVICES hides the card where it does not name it, as with the real driver.
int devices() {
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    return visible == nullptr || strcmp(visible, "0") == 0 ? 1 : 0;
}

template <class Handle> CUresult make(Handle *handle) {
    ON_THE_CARD();
    *handle = reinterpret_cast<Handle>(new char);
    handles.insert(*handle);
    return CUDA_SUCCESS;
}

CUresult destroy(void *handle) {
    ON_THE_CARD();
    if (handles.erase(handle) == 0) return CUDA_ERROR_INVALID_HANDLE;
    delete static_cast<char *>(handle);
    return CUDA_SUCCESS;
}

// Streams may be null: the default stream.
CUresult check(void *stream, void *event = nullptr) {
    ON_THE_CARD();
    bool known = (stream == nullptr || handles.count(stream) == 1) && (event == nullptr || handles.count(event) == 1);
    return known ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

} // namespace

bool in_context() { return owners > 0 && current == generation; }

CUresult cuInit(unsigned int flags) {
    if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
    if (devices() == 0) return CUDA_ERROR_NO_DEVICE;
    started = true;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count) {
    if (!started) return CUDA_ERROR_NOT_INITIALIZED;
    *count = devices();
    return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
    if (!started) return CUDA_ERROR_NOT_INITIALIZED;
    if (ordinal < 0 || ordinal >= devices()) return CUDA_ERROR_INVALID_DEVICE;
    *device = ordinal;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
    if (!started) return CUDA_ERROR_NOT_INITIALIZED;
    if (device != 0) return CUDA_ERROR_INVALID_DEVICE;
    // As cards of today. Nothing else is asked.
    if (attribute != CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED) return CUDA_ERROR_NOT_SUPPORTED;
    *value = 1;
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *result, CUdevice device) {
    std::lock_guard<std::recursive_mutex> one_at_a_time(card);
    if (!started) return CUDA_ERROR_NOT_INITIALIZED;
    if (device != 0) return CUDA_ERROR_INVALID_DEVICE;
    owners++;
    *result = context();
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
    std::lock_guard<std::recursive_mutex> one_at_a_time(card);
    if (device != 0) return CUDA_ERROR_INVALID_DEVICE;
    if (owners == 0) return CUDA_ERROR_INVALID_CONTEXT;
    if (--owners == 0) {
        generation++;
        forget_memory();
    }
    return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext wanted) {
    std::lock_guard<std::recursive_mutex> one_at_a_time(card);
    if (wanted != nullptr && (wanted != context() || owners == 0)) return CUDA_ERROR_INVALID_CONTEXT;
    current = wanted == nullptr ? -1 : generation;
    return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext *result) {
    std::lock_guard<std::recursive_mutex> one_at_a_time(card);
    *result = in_context() ? context() : nullptr;
    return CUDA_SUCCESS;
}

CUresult cuStreamCreate(CUstream *stream, unsigned int) { return make(stream); }
CUresult cuStreamDestroy(CUstream stream) { return destroy(stream); }
CUresult cuStreamSynchronize(CUstream stream) { return check(stream); }
CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned int) { return check(stream, event); }

CUresult cuEventCreate(CUevent *event, unsigned int) { return make(event); }
CUresult cuEventDestroy(CUevent event) { return destroy(event); }
CUresult cuEventRecord(CUevent event, CUstream stream) { return check(stream, event); }

namespace {
struct Error {
    CUresult code;
    const char *name, *text;
};
// As the driver's, so far as they are used.
#define NAMED(code) code, #code
const Error ERRORS[] = {
    {NAMED(CUDA_SUCCESS), "no error"},
    {NAMED(CUDA_ERROR_INVALID_VALUE), "invalid argument"},
    {NAMED(CUDA_ERROR_OUT_OF_MEMORY), "out of memory"},
    {NAMED(CUDA_ERROR_NOT_INITIALIZED), "initialization error"},
    {NAMED(CUDA_ERROR_NO_DEVICE), "no CUDA-capable device is detected"},
    {NAMED(CUDA_ERROR_INVALID_DEVICE), "invalid device ordinal"},
    {NAMED(CUDA_ERROR_INVALID_CONTEXT), "invalid device context"},
    {NAMED(CUDA_ERROR_INVALID_PTX), "a PTX JIT compilation failed"},
    {NAMED(CUDA_ERROR_INVALID_HANDLE), "invalid resource handle"},
    {NAMED(CUDA_ERROR_NOT_FOUND), "named symbol not found"},
    {NAMED(CUDA_ERROR_NOT_SUPPORTED), "operation not supported"},
};

CUresult describe(CUresult code, const char *Error::*part, const char **result) {
    *result = nullptr;
    for (const Error &error : ERRORS)
        if (error.code == code) *result = error.*part;
    return *result == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}
} // namespace

CUresult cuGetErrorName(CUresult code, const char **name) { return describe(code, &Error::name, name); }
CUresult cuGetErrorString(CUresult code, const char **text) { return describe(code, &Error::text, text); }
