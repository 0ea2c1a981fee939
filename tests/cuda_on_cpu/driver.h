// What the parts of the driver's stand-in (libcuda.so.1) share.
#pragma once

#include <cuda.h>
#include <stdio.h>

#include <mutex>

// One call at a time, as the card works through one thing after another.
extern std::recursive_mutex card;

// Whether the calling thread has made the context current, and the context is still there.
bool in_context();

// Everything that touches the card begins so.
#define ON_THE_CARD()                                         \
    std::lock_guard<std::recursive_mutex> one_at_a_time(card); \
    if (!in_context()) return CUDA_ERROR_INVALID_CONTEXT

// memory.cpp: frees all. A context's memory goes with it.
void forget_memory();

// block.cpp: runs a kernel for all threads of all blocks.
void run(void (*call)(void **), void **parameters, const unsigned int grid[3], const unsigned int block[3]);

// The kernel that runs, or nullptr: for the message if it reads where nothing is.
extern const char *running;
