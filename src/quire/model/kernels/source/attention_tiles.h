/* What attention.c is made of: products of tiles, packing, rotary positions, powers of two.
 *
 * vdpbf16ps multiplies pairs: C[m][n] += A[m][2j] * B[2j][n] + A[m][2j+1] * B[2j+1][n].  A is read as it lies, two
 * neighbours of a row at a time; B must have its rows interleaved two by two.  Hence the two ways of packing:
 *   by features, for scores:    [n / 16][dim / 2][16][2]   a vector holds two features of sixteen tokens
 *   by tokens, for everything that sums over tokens:  [n / 2][dim][2]   a vector holds sixteen features of two tokens
 */
#ifndef QUIRE_ATTENTION_TILES_H
#define QUIRE_ATTENTION_TILES_H

#include "kernels.h"

/* Not merged into its callers, where the compiler would run short of registers. */
#define OWN_FUNCTION AVX512BF16 __attribute__((noinline))

static inline int64_t padded(int64_t n) { return up_to(n, 16); }

/* 2^x to 5e-6 of its value, far finer than the bf16 that it becomes; 0 far below, NaN for NaN.
 * The polynomial is the best of degree 4 for the relative error on [-1/2, 1/2] (fitted with Remez' exchange). */
AVX512 static inline __m512 power_of_two(__m512 x) {
    __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), f = _mm512_sub_ps(x, n);
    __m512 p = _mm512_set1_ps(9.570101420e-03f);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.591786028e-02f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.402474484e-01f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.931218147e-01f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(9.999992614e-01f));
    return _mm512_scalef_ps(p, n);
}

/* two neighbouring bf16, sixteen times */
AVX512BF16 static inline __m512bh two_of(const bf16 *p) {
    int32_t two;
    memcpy(&two, p, 4);
    return (__m512bh)_mm512_set1_epi32(two);
}

/* C (ROWS x 16 * NG) (+)= A (ROWS x 2 * pairs) B; one function for each, so that the sums stay in registers */
#define PRODUCT(ROWS, NG)                                                                                             \
    AVX512BF16 INLINE void product_##ROWS##_##NG(                                                                     \
        float *c, int64_t c_row, const bf16 *a, int64_t a_row, int64_t a_pair, const bf16 *b, int64_t b_pair,         \
        int64_t b_group, int64_t pairs, int add) {                                                                    \
        __m512 sum[ROWS][NG];                                                                                         \
        for (int i = 0; i < ROWS; i++)                                                                                \
            for (int j = 0; j < NG; j++)                                                                              \
                sum[i][j] = add ? _mm512_loadu_ps(c + i * c_row + 16 * j) : _mm512_setzero_ps();                      \
        for (int64_t p = 0; p < pairs; p++) {                                                                         \
            __m512bh right[NG];                                                                                       \
            for (int j = 0; j < NG; j++) right[j] = (__m512bh)_mm512_loadu_si512(b + p * b_pair + j * b_group);       \
            for (int i = 0; i < ROWS; i++) {                                                                          \
                __m512bh left = two_of(a + i * a_row + p * a_pair);                                                   \
                for (int j = 0; j < NG; j++) sum[i][j] = _mm512_dpbf16_ps(sum[i][j], left, right[j]);                 \
            }                                                                                                         \
        }                                                                                                             \
        for (int i = 0; i < ROWS; i++)                                                                                \
            for (int j = 0; j < NG; j++) _mm512_storeu_ps(c + i * c_row + 16 * j, sum[i][j]);                         \
    }
PRODUCT(16, 1)
PRODUCT(8, 2)
PRODUCT(4, 3)
PRODUCT(4, 4)

/* C (16 x 16 * groups) (+)= A (16 x 2 * pairs) B */
OWN_FUNCTION static void multiply(float *c, int64_t c_row, const bf16 *a, int64_t a_row, int64_t a_pair,
                                  const bf16 *b, int64_t b_pair, int64_t b_group, int64_t groups, int64_t pairs,
                                  int add) {
#define EACH(ROWS, NG)                                                                                                \
    for (int i = 0; i < 16; i += ROWS)                                                                                \
        product_##ROWS##_##NG(c + i * c_row, c_row, a + i * a_row, a_row, a_pair, b, b_pair, b_group, pairs, add)
    for (; groups > 0; groups -= 4, c += 64, b += 4 * b_group)
        switch (least(4, groups)) {
        case 4: EACH(4, 4); break;
        case 3: EACH(4, 3); break;
        case 2: EACH(8, 2); break;
        default: EACH(16, 1); break;
        }
#undef EACH
}

/* Rows as they lie, turned by their positions where there are any, into (padded n, dim); the padding is zero. */
AVX512BF16 static void gather(bf16 *to, const bf16 *from, int64_t row, int64_t n, int64_t dim, const bf16 *cos,
                              const bf16 *sin, int64_t turns, int64_t first) {
    int64_t half = dim / 2, turn = first % turns;
    for (int64_t t = 0; t < n; t++, to += dim, from += row) {
        for (int64_t d = 0; d < dim; d += 32) _mm_prefetch((const char *)(from + 8 * row + d), _MM_HINT_T0);
        if (cos == NULL) {
            for (int64_t d = 0; d < dim; d += 16)
                _mm256_storeu_si256((__m256i *)(to + d), _mm256_loadu_si256((const __m256i *)(from + d)));
            continue;
        }
        const bf16 *c = cos + turn * dim, *s = sin + turn * dim;
        turn = turn + 1 < turns ? turn + 1 : 0;
        for (int64_t d = 0; d < half; d += 16) {
            __mmask16 m = first_lanes(half - d);
            __m512 low = load_bf16_part(from + d, m), high = load_bf16_part(from + half + d, m);
            __m512 turned = _mm512_mul_ps(high, load_bf16_part(s + d, m));
            store_bf16_part(to + d, _mm512_fmsub_ps(low, load_bf16_part(c + d, m), turned), m);
            turned = _mm512_mul_ps(low, load_bf16_part(s + half + d, m));
            store_bf16_part(to + half + d, _mm512_fmadd_ps(high, load_bf16_part(c + half + d, m), turned), m);
        }
    }
    memset(to, 0, (padded(n) - n) * dim * sizeof(bf16));
}

/* The gradient of `gather`: rows in float32 times `scale`, turned back, into bf16. */
AVX512BF16 static void scatter(bf16 *to, int64_t row, const float *from, int64_t n, int64_t dim, float scale,
                               const bf16 *cos, const bf16 *sin, int64_t turns, int64_t first) {
    int64_t half = dim / 2, turn = first % turns;
    __m512 by = _mm512_set1_ps(scale);
    for (int64_t t = 0; t < n; t++, to += row, from += dim) {
        if (cos == NULL) {
            for (int64_t d = 0; d < dim; d += 16) store_bf16(to + d, _mm512_mul_ps(by, _mm512_loadu_ps(from + d)));
            continue;
        }
        const bf16 *c = cos + turn * dim, *s = sin + turn * dim;
        turn = turn + 1 < turns ? turn + 1 : 0;
        for (int64_t d = 0; d < half; d += 16) {
            __mmask16 m = first_lanes(half - d);
            __m512 low = _mm512_mul_ps(by, _mm512_maskz_loadu_ps(m, from + d));
            __m512 high = _mm512_mul_ps(by, _mm512_maskz_loadu_ps(m, from + half + d));
            __m512 turned = _mm512_mul_ps(high, load_bf16_part(s + half + d, m));
            store_bf16_part(to + d, _mm512_fmadd_ps(low, load_bf16_part(c + d, m), turned), m);
            turned = _mm512_mul_ps(low, load_bf16_part(s + d, m));
            store_bf16_part(to + half + d, _mm512_fmsub_ps(high, load_bf16_part(c + half + d, m), turned), m);
        }
    }
}

/* (n, dim) to [n / 16][dim / 2][16][2]; n a multiple of 16.  Pairs of features are numbers of four bytes. */
AVX512 static void by_features(bf16 *to, const bf16 *from, int64_t n, int64_t dim) {
    for (int64_t t = 0; t < n; t += 16, from += 16 * dim)
        for (int64_t d = 0; d < dim; d += 32, to += 32 * 16) {
            int64_t width = least(32, dim - d);
            __mmask16 m = first_lanes(width / 2);
            __m512i r[16];
            for (int i = 0; i < 16; i++) r[i] = _mm512_maskz_loadu_epi32(m, from + i * dim + d);
            transpose(r);
            for (int i = 0; i < width / 2; i++) _mm512_storeu_si512(to + 32 * i, r[i]);
            to -= (32 - width) * 16;
        }
}

/* two rows of sixteen bf16 (the halves of x), interleaved */
AVX512 static inline __m512i interleaved(__m512i x) {
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, x);
}

/* (n, dim) to [n / 2][dim][2] */
AVX512 static void by_tokens(bf16 *to, const bf16 *from, int64_t n, int64_t dim) {
    for (int64_t t = 0; t < n; t += 2, from += 2 * dim)
        for (int64_t d = 0; d < dim; d += 16, to += 32) {
            __m256i even = _mm256_loadu_si256((const __m256i *)(from + d));
            __m256i odd = _mm256_loadu_si256((const __m256i *)(from + dim + d));
            _mm512_storeu_si512(to, interleaved(_mm512_inserti64x4(_mm512_castsi256_si512(even), odd, 1)));
        }
}

/* a += b; n a multiple of 16 */
AVX512 static void add_to(float *a, const float *b, int64_t n) {
    for (int64_t i = 0; i < n; i += 16)
        _mm512_storeu_ps(a + i, _mm512_add_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i)));
}

AVX512BF16 static float dot(const bf16 *a, const bf16 *b, int64_t dim, int64_t row) {
    __m512 sum = _mm512_setzero_ps();
    for (int64_t d = 0; d < dim; d += 32) _mm_prefetch((const char *)(a + 8 * row + d), _MM_HINT_T0);
    for (int64_t d = 0; d < dim; d += 16) sum = _mm512_fmadd_ps(load_bf16(a + d), load_bf16(b + d), sum);
    return _mm512_reduce_add_ps(sum);
}

#endif
