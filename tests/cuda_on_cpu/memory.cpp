// The card's memory: pages of this process.
//
// Each block of memory ends where pages begin that nobody may touch, and begins behind others: a kernel that reads or
// writes past its end (or after it was freed) does not go on. New memory holds NaNs, so that results of what nobody
// wrote show.
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <map>

#include "driver.h"

const char *running = nullptr;

namespace {

const size_t TOTAL = size_t(4) << 30;
const size_t GUARD = 1 << 20;

struct Block {
    size_t bytes;
    char *pages;
    size_t mapped;
};
std::map<CUdeviceptr, Block> blocks;
size_t used = 0;

// Names the kernel, and lets the process end as it would have.
void on_fault(int signal, siginfo_t *info, void *) {
    char text[300];
    int length = snprintf(text, sizeof text, "cuda on cpu: %s reads or writes at %p, where no memory is\n",
                          running != nullptr ? running : "no kernel, but something", info->si_addr);
    if (length > 0 && write(STDERR_FILENO, text, length) < 0) _exit(1);
    struct sigaction usual = {};
    usual.sa_handler = SIG_DFL;
    sigaction(signal, &usual, nullptr);
}

void watch() {
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, nullptr);
}

CUresult allocate(CUdeviceptr *result, size_t bytes) {
    static bool watched = (watch(), true);
    (void)watched;
    if (bytes > TOTAL - used) return CUDA_ERROR_OUT_OF_MEMORY;
    size_t page = sysconf(_SC_PAGESIZE);
    size_t inner = (bytes + page - 1) / page * page;
    size_t mapped = inner + 2 * GUARD;
    void *place = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
    char *pages = static_cast<char *>(place);
    if (mprotect(pages + GUARD, inner, PROT_READ | PROT_WRITE) != 0) {
        munmap(pages, mapped);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    // At the end, as far as the alignment of the largest number lets it.
    size_t room = (bytes + 15) / 16 * 16;
    char *start = pages + GUARD + inner - room;
    memset(start, 0xFF, room);
    *result = reinterpret_cast<CUdeviceptr>(start);
    blocks[*result] = {bytes, pages, mapped};
    used += bytes;
    return CUDA_SUCCESS;
}

CUresult release(CUdeviceptr address) {
    auto found = blocks.find(address);
    if (found == blocks.end()) return CUDA_ERROR_INVALID_VALUE;
    used -= found->second.bytes;
    munmap(found->second.pages, found->second.mapped);
    blocks.erase(found);
    return CUDA_SUCCESS;
}

// Whether all of it lies in one block.
bool holds(CUdeviceptr address, size_t bytes) {
    auto next = blocks.upper_bound(address);
    if (next == blocks.begin()) return false;
    auto [start, block] = *--next;
    return address - start <= block.bytes && bytes <= block.bytes - (address - start);
}

char *at(CUdeviceptr address) { return reinterpret_cast<char *>(address); }

CUresult copy(void *to, const void *from, size_t bytes, bool allowed) {
    if (bytes == 0) return CUDA_SUCCESS;
    if (!allowed) return CUDA_ERROR_INVALID_VALUE;
    memmove(to, from, bytes);
    return CUDA_SUCCESS;
}

} // namespace

void forget_memory() {
    while (!blocks.empty()) release(blocks.begin()->first);
}

CUresult cuMemAlloc(CUdeviceptr *result, size_t bytes) {
    ON_THE_CARD();
    return bytes == 0 ? CUDA_ERROR_INVALID_VALUE : allocate(result, bytes);
}

CUresult cuMemFree(CUdeviceptr address) {
    ON_THE_CARD();
    return release(address);
}

// No memory is an address that may be freed, and nothing else.
CUresult cuMemAllocAsync(CUdeviceptr *result, size_t bytes, CUstream) {
    ON_THE_CARD();
    *result = 0;
    return bytes == 0 ? CUDA_SUCCESS : allocate(result, bytes);
}

CUresult cuMemFreeAsync(CUdeviceptr address, CUstream) {
    ON_THE_CARD();
    return address == 0 ? CUDA_SUCCESS : release(address);
}

CUresult cuMemGetInfo(size_t *unused, size_t *total) {
    ON_THE_CARD();
    *unused = TOTAL - used;
    *total = TOTAL;
    return CUDA_SUCCESS;
}

CUresult cuMemcpyHtoD(CUdeviceptr to, const void *from, size_t bytes) {
    ON_THE_CARD();
    return copy(at(to), from, bytes, holds(to, bytes));
}

CUresult cuMemcpyDtoH(void *to, CUdeviceptr from, size_t bytes) {
    ON_THE_CARD();
    return copy(to, at(from), bytes, holds(from, bytes));
}

CUresult cuMemcpyDtoD(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    ON_THE_CARD();
    return copy(at(to), at(from), bytes, holds(to, bytes) && holds(from, bytes));
}

CUresult cuMemcpyHtoDAsync(CUdeviceptr to, const void *from, size_t bytes, CUstream) {
    return cuMemcpyHtoD(to, from, bytes);
}

CUresult cuMemcpyDtoHAsync(void *to, CUdeviceptr from, size_t bytes, CUstream) { return cuMemcpyDtoH(to, from, bytes); }

CUresult cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream) {
    return cuMemcpyDtoD(to, from, bytes);
}

CUresult cuMemsetD8(CUdeviceptr to, unsigned char value, size_t bytes) {
    ON_THE_CARD();
    if (bytes == 0) return CUDA_SUCCESS;
    if (!holds(to, bytes)) return CUDA_ERROR_INVALID_VALUE;
    memset(at(to), value, bytes);
    return CUDA_SUCCESS;
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, CUstream) {
    return cuMemsetD8(to, value, bytes);
}
