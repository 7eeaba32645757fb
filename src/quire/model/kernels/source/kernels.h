/* What the kernels share.  Every function here is plain C with plain pointers, called through ctypes.
 *
 * Numbers: bf16 as uint16_t, its bits those of a float's upper half.  Sums are float32.
 * Threads: OpenMP.  No result depends on their number: each output is summed by one thread, in one order.
 */
#ifndef QUIRE_KERNELS_H
#define QUIRE_KERNELS_H

#include <immintrin.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint16_t bf16;

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma")))
#define AVX512BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,avx512bf16")))
#define AVX512VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,avx512bf16,avx512vnni")))

/* sixteen bf16 as float32 */
AVX512 static inline __m512 from_bf16(__m256i x) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

AVX512 static inline __m512 load_bf16(const bf16 *p) { return from_bf16(_mm256_loadu_si256((const __m256i *)p)); }

AVX512 static inline __m512 load_bf16_part(const bf16 *p, __mmask16 mask) {
    return from_bf16(_mm256_maskz_loadu_epi16(mask, p));
}

/* sixteen float32 to bf16, to the nearest, ties to even; NaN stays NaN */
AVX512BF16 static inline __m256i to_bf16(__m512 x) { return (__m256i)_mm512_cvtneps_pbh(x); }

AVX512BF16 static inline void store_bf16(bf16 *p, __m512 x) { _mm256_storeu_si256((__m256i *)p, to_bf16(x)); }

AVX512BF16 static inline void store_bf16_part(bf16 *p, __m512 x, __mmask16 mask) {
    _mm256_mask_storeu_epi16(p, mask, to_bf16(x));
}

/* the first n of sixteen lanes */
static inline __mmask16 first_lanes(int64_t n) { return n >= 16 ? 0xFFFF : (__mmask16)((1u << n) - 1); }

/* e^x to within 2 units in the last place for x <= 0 and to 1e-38; 0 below, NaN for NaN */
AVX512 static inline __m512 exp_ps(__m512 x) {
    const __m512 log2e = _mm512_set1_ps(1.44269504088896341f);
    /* far below, n could not be told from its neighbours; the order keeps NaN */
    x = _mm512_max_ps(_mm512_set1_ps(-150.0f), x);
    const __m512 ln2_hi = _mm512_set1_ps(0.693359375f), ln2_lo = _mm512_set1_ps(-2.12194440e-4f);
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, log2e), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = _mm512_fnmadd_ps(n, ln2_lo, _mm512_fnmadd_ps(n, ln2_hi, x));
    __m512 p = _mm512_set1_ps(1.9875691500e-4f);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3981999507e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1f));
    p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), _mm512_add_ps(r, _mm512_set1_ps(1.0f)));
    return _mm512_scalef_ps(p, n);
}

#endif
