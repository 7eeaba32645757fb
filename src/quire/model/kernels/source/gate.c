/* The gate of a LLaMA block: silu(gate) * up, as torch rounds it, and both gradients in one pass. */
#include "kernels.h"

enum { CHUNK = 4096 }; /* elements that one thread takes at a time */

/* 1 + e^-x; infinite where that overflows */
AVX512 static inline __m512 one_plus_exp_minus(__m512 x) {
    /* NaN passes through max where it is the second operand.  Beyond 104, e^x is infinite. */
    __m512 bounded = _mm512_max_ps(_mm512_set1_ps(-104.0f), x);
    return _mm512_add_ps(_mm512_set1_ps(1.0f), exp_ps(_mm512_sub_ps(_mm512_setzero_ps(), bounded)));
}

AVX512BF16 static inline __m512 silu_times_of(__m512 gate, __m512 up) {
    return _mm512_mul_ps(rounded_ps(_mm512_div_ps(gate, one_plus_exp_minus(gate))), up);
}

AVX512BF16 static void chunk_forward(const bf16 *gate, const bf16 *up, bf16 *out, int64_t n) {
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) store_bf16(out + i, silu_times_of(load_bf16(gate + i), load_bf16(up + i)));
    if (i < n) {
        __mmask16 part = first_lanes(n - i);
        store_bf16_part(out + i, silu_times_of(load_bf16_part(gate + i, part), load_bf16_part(up + i, part)), part);
    }
}

/* out (n) = bf16(silu(gate)) * up */
void silu_times_forward(const bf16 *gate, const bf16 *up, bf16 *out, int64_t n) {
#pragma omp parallel for schedule(static) if (n > CHUNK)
    for (int64_t i = 0; i < n; i += CHUNK) chunk_forward(gate + i, up + i, out + i, least(CHUNK, n - i));
}

AVX512BF16 static void chunk_backward(const bf16 *dy, const bf16 *gate, const bf16 *up, bf16 *dgate, bf16 *dup,
                                      int64_t n) {
    const __m512 one = _mm512_set1_ps(1.0f);
    for (int64_t i = 0; i < n; i += 16) {
        __mmask16 part = first_lanes(n - i);
        __m512 d = load_bf16_part(dy + i, part), g = load_bf16_part(gate + i, part);
        __m512 s = _mm512_div_ps(one, one_plus_exp_minus(g)), silu = _mm512_mul_ps(g, s);
        __m512 slope = _mm512_fmadd_ps(silu, _mm512_sub_ps(one, s), s);
        store_bf16_part(dup + i, _mm512_mul_ps(d, rounded_ps(silu)), part);
        store_bf16_part(dgate + i, _mm512_mul_ps(_mm512_mul_ps(d, load_bf16_part(up + i, part)), slope), part);
    }
}

/* dgate = dy * up * s * (1 + gate * (1 - s)), dup = dy * bf16(gate * s), s = 1 / (1 + e^-gate); dgate may be dy */
void silu_times_backward(const bf16 *dy, const bf16 *gate, const bf16 *up, bf16 *dgate, bf16 *dup, int64_t n) {
#pragma omp parallel for schedule(static) if (n > CHUNK)
    for (int64_t i = 0; i < n; i += CHUNK)
        chunk_backward(dy + i, gate + i, up + i, dgate + i, dup + i, least(CHUNK, n - i));
}
