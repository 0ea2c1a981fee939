// The stand-in for libnvrtc, with which dfdx compiles some kernels while it runs.
//
// The toolkit's own nvrtc compiles the source first: it needs no card, and its errors are real. Then the source is
// compiled for the CPU, and a comment in the PTX says where the driver's stand-in finds that. Without the variable
// CUDA_ON_CPU_NVRTC, which names the toolkit's, nothing is compiled: so the crate's tests show that it asks for nothing.
#include <dlfcn.h>
#include <nvrtc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <functional>
#include <mutex>
#include <string>

namespace {

struct Program {
    nvrtcProgram real;
    std::string source;
    std::string ptx;
};

std::string setting(const char *name) {
    const char *value = getenv(name);
    return value == nullptr ? "" : value;
}

template <class Function> Function real(const char *name, Function) {
    static const std::string file = setting("CUDA_ON_CPU_NVRTC");
    static void *library = file.empty() ? nullptr : dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    void *found = library == nullptr ? nullptr : dlsym(library, name);
    if (found == nullptr) fprintf(stderr, "cuda on cpu: no %s in the toolkit's nvrtc\n", name);
    return reinterpret_cast<Function>(found);
}
#define REAL(function, ...) \
    (real(#function, function) == nullptr ? NVRTC_ERROR_INTERNAL_ERROR : real(#function, function)(__VA_ARGS__))

Program *program(nvrtcProgram handle) { return reinterpret_cast<Program *>(handle); }

std::string quoted(const std::string &word) { return "'" + word + "'"; }

// The library, or nothing. What was compiled once is taken again.
std::string compile(const std::string &source, const std::string &options) {
    size_t number = std::hash<std::string>{}(source + options);
    std::string base = setting("CUDA_ON_CPU_COMPILED") + "/" + std::to_string(number);
    std::string library = base + ".so";
    if (access(library.c_str(), R_OK) == 0) return library;
    FILE *file = fopen((base + ".cu").c_str(), "w");
    if (file == nullptr) return "";
    bool written = fputs(source.c_str(), file) >= 0;
    written = fclose(file) == 0 && written;
    std::string command = setting("CUDA_ON_CPU_COMPILE") + " " + quoted(base + ".cu") + " " + quoted(library) + options;
    return written && system(command.c_str()) == 0 ? library : "";
}

} // namespace

nvrtcResult nvrtcCreateProgram(nvrtcProgram *result, const char *source, const char *name, int headers,
                               const char *const *texts, const char *const *names) {
    Program *made = new Program{nullptr, source, ""};
    nvrtcResult code = REAL(nvrtcCreateProgram, &made->real, source, name, headers, texts, names);
    *result = reinterpret_cast<nvrtcProgram>(made);
    return code;
}

nvrtcResult nvrtcDestroyProgram(nvrtcProgram *handle) {
    nvrtcResult code = REAL(nvrtcDestroyProgram, &program(*handle)->real);
    delete program(*handle);
    *handle = nullptr;
    return code;
}

nvrtcResult nvrtcCompileProgram(nvrtcProgram handle, int count, const char *const *options) {
    static std::mutex one_at_a_time;
    std::lock_guard<std::mutex> lock(one_at_a_time);
    Program *self = program(handle);
    size_t size = 0;
    nvrtcResult code = REAL(nvrtcCompileProgram, self->real, count, options);
    if (code == NVRTC_SUCCESS) code = REAL(nvrtcGetPTXSize, self->real, &size);
    if (code != NVRTC_SUCCESS) return code;
    self->ptx.resize(size);
    code = REAL(nvrtcGetPTX, self->real, &self->ptx[0]);
    if (code != NVRTC_SUCCESS) return code;
    std::string words;
    for (int i = 0; i < count; i++) words += " " + quoted(options[i]);
    std::string library = compile(self->source, words);
    if (library.empty()) {
        fprintf(stderr, "cuda on cpu: this kernel cannot be compiled for the CPU:\n%s\n", self->source.c_str());
        return NVRTC_ERROR_INTERNAL_ERROR;
    }
    self->ptx = std::string(self->ptx.c_str()) + "\n// cuda on cpu: " + library + "\n";
    return NVRTC_SUCCESS;
}

// Sizes count the zero at the end.
nvrtcResult nvrtcGetPTXSize(nvrtcProgram handle, size_t *size) {
    *size = program(handle)->ptx.size() + 1;
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetPTX(nvrtcProgram handle, char *text) {
    memcpy(text, program(handle)->ptx.c_str(), program(handle)->ptx.size() + 1);
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram handle, size_t *size) {
    return REAL(nvrtcGetProgramLogSize, program(handle)->real, size);
}

nvrtcResult nvrtcGetProgramLog(nvrtcProgram handle, char *text) {
    return REAL(nvrtcGetProgramLog, program(handle)->real, text);
}
