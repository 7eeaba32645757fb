/* What the kernels share.  A kernel is plain C with plain pointers and whole numbers, called through ctypes.
 *
 * Numbers: bf16 as uint16_t, its bits those of a float's upper half.  Sums are float32.
 * Threads: OpenMP.  No result depends on their number: each output is summed by one thread, in one order.  What a
 * parallel loop does with vectors stands in functions of its own: clang takes the loop out of the function around it,
 * and with that the instructions which that names.
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

#define INLINE static inline __attribute__((always_inline))

/* Before a loop over what is held in registers, at most sixteen: unrolled as a whole, or it is not held there. */
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Of OpenMP; its own header does not come with every compiler that knows it. */
int omp_get_max_threads(void);
int omp_get_num_threads(void);
int omp_get_thread_num(void);

#define SMALLEST 1e-30f /* largest number of a row that becomes bytes: a row of zeros has a scale too */

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

/* how many units hold n, and how much they hold together */
static inline int64_t over(int64_t n, int64_t unit) { return (n + unit - 1) / unit; }
static inline int64_t up_to(int64_t n, int64_t unit) { return over(n, unit) * unit; }

/* memory from the beginning of a line on; NULL where there is none */
static inline void *room_for(size_t bytes) {
    void *found = NULL;
    return posix_memalign(&found, 64, bytes ? bytes : 64) == 0 ? found : NULL;
}

/* one bf16 as float32 */
static inline float float_of(bf16 x) {
    const uint32_t bits = (uint32_t)x << 16;
    float same;
    memcpy(&same, &bits, sizeof same);
    return same;
}

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

/* sixteen float32, each the nearest bf16 */
AVX512BF16 static inline __m512 rounded_ps(__m512 x) { return from_bf16(to_bf16(x)); }

/* the first n of sixty-four lanes, none below 0; a narrower mask takes those that it has */
static inline __mmask64 first_lanes(int64_t n) { return n >= 64 ? ~0ull : n <= 0 ? 0 : (1ull << n) - 1; }

/* e^x to within 2 units in the last place for x <= 104, to 1e-38; 0 below, infinite beyond 3.4e38, NaN for NaN */
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

/* a matrix of 16 × 16 four-byte numbers, rows to columns */
AVX512 INLINE void transpose(__m512i v[16]) {
    __m512i t[16];
    UNROLL for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        v[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        v[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        v[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        v[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0xDD);
        t[i + 8] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0xDD);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        v[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xDD);
        v[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        v[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xDD);
    }
}

#endif
