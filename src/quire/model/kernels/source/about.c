/* What the library was built from, and what this processor has. */
#include "kernels.h"

const char *quire_sources(void) { return QUIRE_SOURCES; }

int quire_has_bf16(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("avx512bf16");
}

int quire_has_vnni(void) { return quire_has_bf16() && __builtin_cpu_supports("avx512vnni"); }
