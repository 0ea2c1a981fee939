// Modules, functions and launches. A module is loaded as PTX, the card's assembler, which is not run: it says by the
// names in it which library of kernels, compiled for the CPU from the same source, takes its place.
#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "driver.h"
#include "kernel.h"

namespace {

using Names = std::set<std::string>;

struct Module {
    const Kernel *kernels;
};
std::set<Module *> modules;

Names names_in(const std::string &ptx) {
    const std::string word = ".entry ";
    Names names;
    for (size_t at = ptx.find(word); at != std::string::npos; at = ptx.find(word, at)) {
        at += word.size();
        names.insert(ptx.substr(at, ptx.find_first_of("( \t\n", at) - at));
    }
    return names;
}

const Kernel *open(const std::string &library) {
    void *opened = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (opened == nullptr) {
        fprintf(stderr, "cuda on cpu: %s\n", dlerror());
        return nullptr;
    }
    return static_cast<const Kernel *>(dlsym(opened, "kernels"));
}

Names names_in(const Kernel *kernels) {
    Names names;
    for (const Kernel *kernel = kernels; kernel->name != nullptr; kernel++) names.insert(kernel->name);
    return names;
}

// Those that were compiled with the stand-in.
const std::map<Names, const Kernel *> &libraries() {
    static const std::map<Names, const Kernel *> found = [] {
        std::map<Names, const Kernel *> found;
        const char *set = getenv("CUDA_ON_CPU_KERNELS");
        std::string folder = set != nullptr ? set : ".";
        DIR *opened = opendir(folder.c_str());
        while (dirent *file = opened == nullptr ? nullptr : readdir(opened)) {
            std::string name = file->d_name;
            if (name.size() < 3 || name.substr(name.size() - 3) != ".so") continue;
            const Kernel *kernels = open(folder + "/" + name);
            if (kernels != nullptr) found[names_in(kernels)] = kernels;
        }
        if (opened != nullptr) closedir(opened);
        return found;
    }();
    return found;
}

const Kernel *kernels_of(const std::string &ptx) {
    // Written by the stand-in of nvrtc.
    const std::string mark = "// cuda on cpu: ";
    size_t at = ptx.find(mark);
    if (at != std::string::npos) {
        at += mark.size();
        const Kernel *kernels = open(ptx.substr(at, ptx.find('\n', at) - at));
        return kernels != nullptr && names_in(kernels) == names_in(ptx) ? kernels : nullptr;
    }
    auto found = libraries().find(names_in(ptx));
    return found == libraries().end() ? nullptr : found->second;
}

} // namespace

CUresult cuModuleLoadData(CUmodule *result, const void *image) {
    ON_THE_CARD();
    const Kernel *kernels = kernels_of(static_cast<const char *>(image));
    if (kernels == nullptr) {
        fprintf(stderr, "cuda on cpu: no library has just the kernels of this PTX\n");
        return CUDA_ERROR_INVALID_PTX;
    }
    Module *made = new Module{kernels};
    modules.insert(made);
    *result = reinterpret_cast<CUmodule>(made);
    return CUDA_SUCCESS;
}

CUresult cuModuleUnload(CUmodule handle) {
    ON_THE_CARD();
    Module *module = reinterpret_cast<Module *>(handle);
    if (modules.erase(module) == 0) return CUDA_ERROR_INVALID_HANDLE;
    delete module;
    return CUDA_SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction *result, CUmodule handle, const char *name) {
    ON_THE_CARD();
    Module *module = reinterpret_cast<Module *>(handle);
    if (modules.count(module) == 0) return CUDA_ERROR_INVALID_HANDLE;
    for (const Kernel *kernel = module->kernels; kernel->name != nullptr; kernel++) {
        if (strcmp(kernel->name, name) != 0) continue;
        if (kernel->call == nullptr) {
            fprintf(stderr, "cuda on cpu: %s computes with halves, which the stand-in leaves out\n", name);
            return CUDA_ERROR_NOT_SUPPORTED;
        }
        *result = reinterpret_cast<CUfunction>(const_cast<Kernel *>(kernel));
        return CUDA_SUCCESS;
    }
    return CUDA_ERROR_NOT_FOUND;
}

CUresult cuLaunchKernel(CUfunction function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
                        unsigned int block_x, unsigned int block_y, unsigned int block_z, unsigned int shared_bytes,
                        CUstream, void **parameters, void **extra) {
    ON_THE_CARD();
    if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    // The limits of all cards of today.
    bool some = grid_x > 0 && grid_y > 0 && grid_z > 0 && block_x > 0 && block_y > 0 && block_z > 0;
    bool grid_fits = grid_x <= 0x7FFFFFFF && grid_y <= 65535 && grid_z <= 65535;
    bool block_fits = block_x <= 1024 && block_y <= 1024 && block_z <= 64 && block_x * block_y * block_z <= 1024;
    if (!some || !grid_fits || !block_fits || shared_bytes > 48 << 10) return CUDA_ERROR_INVALID_VALUE;
    if (shared_bytes > 0 || extra != nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    const Kernel *kernel = reinterpret_cast<const Kernel *>(function);
    const unsigned int grid[] = {grid_x, grid_y, grid_z}, block[] = {block_x, block_y, block_z};
    running = kernel->name;
    run(kernel->call, parameters, grid, block);
    running = nullptr;
    return CUDA_SUCCESS;
}
