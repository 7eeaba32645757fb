/* Products of matrices with a few tokens, for decode.c: by threads that share the rows out between them. */
#ifndef QUIRE_DECODE_PRODUCTS_H
#define QUIRE_DECODE_PRODUCTS_H

#include "kernels.h"

#include <math.h>

/* of a weight; BYTES are 8 bits under an input that is rounded to 8 bits too, CODES under one that is not */
enum { FLOAT32, BFLOAT16, BYTES, CODES };
static const int64_t SIZES[] = {4, 2, 1, 1}; /* bytes of a number */

/* y = W x + bias + up (strength · (down x)).  Every member has 8 bytes: filled from Python as whole numbers. */
typedef struct {
    const void *weight;                /* (rows, columns) in one of the formats above */
    const float *scale;                /* (rows); of 8 bits */
    const float *bias;                 /* (rows), or null */
    const float *down, *up, *strength; /* (rank, columns), (rows, rank), (rank); of rank 0: null */
    int64_t kind, rows, columns, rank;
} matrix;

#define AT_ONCE 4 /* tokens whose products are formed together, and rows */
#define MOST_ROWS 8
#define LONG 4096 /* columns */

/* the share of `total` that falls to a thread, in steps of `step` */
static void share(int64_t total, int64_t step, int64_t *from, int64_t *to) {
    int64_t threads = omp_get_num_threads(), me = omp_get_thread_num(), steps = over(total, step);
    *from = least(total, steps * me / threads * step);
    *to = least(total, steps * (me + 1) / threads * step);
}

AVX512 INLINE __m512 load_part(const void *p, int64_t at, int64_t kind, __mmask16 mask) {
    if (kind == CODES)
        return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, (const int8_t *)p + at)));
    if (kind == BFLOAT16) return load_bf16_part((const bf16 *)p + at, mask);
    return _mm512_maskz_loadu_ps(mask, (const float *)p + at);
}

AVX512 INLINE __m512 load_all(const void *p, int64_t at, int64_t kind) {
    if (kind == CODES)
        return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)((const int8_t *)p + at))));
    return kind == BFLOAT16 ? load_bf16((const bf16 *)p + at) : _mm512_loadu_ps((const float *)p + at);
}

/* Products with several tokens take the processor long enough to forget that it should fetch. */
INLINE void fetch(const void *weight, int64_t at) { _mm_prefetch((const char *)weight + at, _MM_HINT_T1); }

/* out[t][r] = row r of `weight` times x[t]: one sum for each, over the columns in their order.  The rows lie `apart`:
 * far from each other, each is a stream of its own to the processor, which then fetches twice as fast as from
 * neighbours. */
AVX512 INLINE void dot_floats(const void *weight, int64_t kind, int64_t apart, int64_t columns, const float *x,
                              int64_t rows, int64_t count, float out[AT_ONCE][MOST_ROWS]) {
    __m512 sum[MOST_ROWS][AT_ONCE];
    for (int64_t r = 0; r < rows; r++)
        for (int64_t t = 0; t < count; t++) sum[r][t] = _mm512_setzero_ps();
    int64_t c = 0;
    for (; c + 16 <= columns; c += 16) {
        __m512 w[MOST_ROWS];
        UNROLL for (int64_t r = 0; r < rows; r++) {
            w[r] = load_all(weight, r * apart + c, kind);
            if (count == AT_ONCE) fetch(weight, (r * apart + c + columns) * SIZES[kind]);
        }
        UNROLL for (int64_t t = 0; t < count; t++) {
            __m512 xt = _mm512_loadu_ps(x + t * columns + c);
            UNROLL for (int64_t r = 0; r < rows; r++) sum[r][t] = _mm512_fmadd_ps(w[r], xt, sum[r][t]);
        }
    }
    if (c < columns) {
        __mmask16 mask = first_lanes(columns - c);
        for (int64_t t = 0; t < count; t++) {
            __m512 xt = _mm512_maskz_loadu_ps(mask, x + t * columns + c);
            for (int64_t r = 0; r < rows; r++)
                sum[r][t] = _mm512_fmadd_ps(load_part(weight, r * apart + c, kind, mask), xt, sum[r][t]);
        }
    }
    for (int64_t t = 0; t < count; t++)
        for (int64_t r = 0; r < rows; r++) out[t][r] = _mm512_reduce_add_ps(sum[r][t]);
}

/* The same of bytes.  `codes` (count, width) lie 128 higher than they are, for the instruction wants no sign there;
 * what that adds to a row's sum is formed beside it.  Exact below 66,000 columns. */
AVX512VNNI INLINE void dot_bytes(const int8_t *weight, int64_t apart, int64_t columns, const uint8_t *codes,
                                 int64_t width, int64_t rows, int64_t count, float out[AT_ONCE][MOST_ROWS]) {
    __m512i sum[MOST_ROWS][AT_ONCE], extra[MOST_ROWS];
    const __m512i lift = _mm512_set1_epi8((char)128);
    for (int64_t r = 0; r < rows; r++) {
        extra[r] = _mm512_setzero_si512();
        for (int64_t t = 0; t < count; t++) sum[r][t] = _mm512_setzero_si512();
    }
    for (int64_t c = 0; c + 64 <= columns; c += 64) {
        __m512i w[MOST_ROWS];
        UNROLL for (int64_t r = 0; r < rows; r++) {
            w[r] = _mm512_loadu_si512(weight + r * apart + c);
            extra[r] = _mm512_dpbusd_epi32(extra[r], lift, w[r]);
            if (count == AT_ONCE) fetch(weight, r * apart + c + columns);
        }
        UNROLL for (int64_t t = 0; t < count; t++) {
            __m512i xt = _mm512_loadu_si512(codes + t * width + c);
            UNROLL for (int64_t r = 0; r < rows; r++) sum[r][t] = _mm512_dpbusd_epi32(sum[r][t], xt, w[r]);
        }
    }
    if (columns % 64) {
        int64_t c = columns / 64 * 64;
        __mmask64 mask = first_lanes(columns - c);
        for (int64_t r = 0; r < rows; r++) {
            __m512i w = _mm512_maskz_loadu_epi8(mask, weight + r * apart + c);
            extra[r] = _mm512_dpbusd_epi32(extra[r], lift, w);
            for (int64_t t = 0; t < count; t++)
                sum[r][t] = _mm512_dpbusd_epi32(sum[r][t], _mm512_loadu_si512(codes + t * width + c), w);
        }
    }
    for (int64_t t = 0; t < count; t++)
        for (int64_t r = 0; r < rows; r++)
            out[t][r] = (float)_mm512_reduce_add_epi32(_mm512_sub_epi32(sum[r][t], extra[r]));
}

/* one or four rows times one to four tokens, and eight times one: constants in each copy that the compiler makes */
#define EACH_SIZE(CALL)                                                                                                \
    switch (rows * 8 + count) {                                                                                        \
    case 8 + 1: CALL(1, 1); break;                                                                                     \
    case 8 + 2: CALL(1, 2); break;                                                                                     \
    case 8 + 3: CALL(1, 3); break;                                                                                     \
    case 8 + 4: CALL(1, 4); break;                                                                                     \
    case 32 + 1: CALL(4, 1); break;                                                                                    \
    case 32 + 2: CALL(4, 2); break;                                                                                    \
    case 32 + 3: CALL(4, 3); break;                                                                                    \
    case 32 + 4: CALL(4, 4); break;                                                                                    \
    case 64 + 1: CALL(8, 1); break;                                                                                    \
    }

AVX512 static void dot_half(const bf16 *weight, int64_t apart, int64_t columns, const float *x, int64_t rows,
                            int64_t count, float out[AT_ONCE][MOST_ROWS]) {
#define CALL(r, t) dot_floats(weight, BFLOAT16, apart, columns, x, r, t, out)
    EACH_SIZE(CALL)
#undef CALL
}

AVX512 static void dot_full(const float *weight, int64_t apart, int64_t columns, const float *x, int64_t rows,
                            int64_t count, float out[AT_ONCE][MOST_ROWS]) {
#define CALL(r, t) dot_floats(weight, FLOAT32, apart, columns, x, r, t, out)
    EACH_SIZE(CALL)
#undef CALL
}

AVX512 static void dot_codes(const int8_t *weight, int64_t apart, int64_t columns, const float *x, int64_t rows,
                             int64_t count, float out[AT_ONCE][MOST_ROWS]) {
#define CALL(r, t) dot_floats(weight, CODES, apart, columns, x, r, t, out)
    EACH_SIZE(CALL)
#undef CALL
}

AVX512VNNI static void dot_int8(const int8_t *weight, int64_t apart, int64_t columns, const uint8_t *codes,
                                int64_t width, int64_t rows, int64_t count, float out[AT_ONCE][MOST_ROWS]) {
#define CALL(r, t) dot_bytes(weight, apart, columns, codes, width, r, t, out)
    EACH_SIZE(CALL)
#undef CALL
}

/* What a product reads: x (n, columns), and where a matrix is BYTES also its bytes (n, width) and their scales (n). */
typedef struct {
    const float *x;
    uint8_t *codes;
    float *scale;
    int64_t width;
} input;

/* the bytes of n rows, as whole_numbers.quantise_rows makes them, but 128 higher; NaN and infinity stay in the scale */
AVX512 static void quantise(input *in, int64_t n, int64_t columns) {
    const __m512i sign = _mm512_set1_epi32(0x7FFFFFFF);
    in->width = up_to(columns, 64);
    for (int64_t t = 0; t < n; t++) {
        const float *x = in->x + t * columns;
        __m512 largest = _mm512_setzero_ps();
        __mmask16 odd = 0;
        for (int64_t c = 0; c < columns; c += 16) {
            __m512 v = _mm512_maskz_loadu_ps(first_lanes(columns - c), x + c);
            odd |= _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
            largest = _mm512_max_ps(largest, _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(v), sign)));
        }
        float scale = odd ? NAN : fmaxf(_mm512_reduce_max_ps(largest), SMALLEST) / 127;
        const __m512 by = _mm512_set1_ps(scale);
        for (int64_t c = 0; c < in->width; c += 16) {
            __m512 v = _mm512_maskz_loadu_ps(first_lanes(columns - c), x + c);
            __m128i bytes = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_div_ps(v, by)));
            bytes = _mm_xor_si128(bytes, _mm_set1_epi8((char)128));
            _mm_storeu_si128((__m128i *)(in->codes + t * in->width + c), bytes);
        }
        in->scale[t] = scale;
    }
}

AVX512 static float dot_small(const float *a, const float *b, int64_t n) {
    __m512 sum = _mm512_setzero_ps();
    for (int64_t c = 0; c < n; c += 16) {
        __mmask16 mask = first_lanes(n - c);
        sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, a + c), _mm512_maskz_loadu_ps(mask, b + c), sum);
    }
    return _mm512_reduce_add_ps(sum);
}

/* out[t][r] (n, stride) = or += rows from..to of m times the input; `reduced` (n, rank): the adapter's inner product */
AVX512 static void multiply(const matrix *m, const input *in, int64_t n, const float *reduced, int64_t from, int64_t to,
                            float *out, int64_t stride, int add) {
    const int64_t columns = m->columns;
    /* A long input leaves the nearest cache while it is used; more rows at once use it more seldom. */
    const int64_t together = n == 1 && columns > LONG && m->kind != BYTES ? MOST_ROWS : AT_ONCE;
    const int64_t part = (to - from) / together;
    for (int64_t r0 = from; r0 < to; r0 += r0 + 1 == from + part ? (together - 1) * part + 1 : 1) {
        int64_t rows = r0 < from + part ? together : 1, apart = part * columns; /* the last few come singly */
        for (int64_t t0 = 0; t0 < n; t0 += AT_ONCE) {
            int64_t count = least(AT_ONCE, n - t0);
            float products[AT_ONCE][MOST_ROWS];
            const float *x = in->x + t0 * columns;
            if (m->kind == BFLOAT16)
                dot_half((const bf16 *)m->weight + r0 * columns, apart, columns, x, rows, count, products);
            else if (m->kind == FLOAT32)
                dot_full((const float *)m->weight + r0 * columns, apart, columns, x, rows, count, products);
            else if (m->kind == CODES)
                dot_codes((const int8_t *)m->weight + r0 * columns, apart, columns, x, rows, count, products);
            else
                dot_int8((const int8_t *)m->weight + r0 * columns, apart, columns, in->codes + t0 * in->width,
                         in->width, rows, count, products);
            for (int64_t t = 0; t < count; t++)
                for (int64_t r = 0; r < rows; r++) {
                    int64_t row = r0 + r * part;
                    float y = products[t][r];
                    if (m->kind == BYTES) y *= in->scale[t0 + t];
                    if (m->scale) y *= m->scale[row];
                    if (m->bias) y += m->bias[row];
                    if (m->rank) y += dot_small(m->up + row * m->rank, reduced + (t0 + t) * m->rank, m->rank);
                    float *here = out + (t0 + t) * stride + row;
                    *here = add ? *here + y : y;
                }
        }
    }
}

/* reduced (n, rank) = strength · (down x), this thread's share of the ranks */
AVX512 static void reduce(const matrix *m, const input *in, int64_t n, float *reduced) {
    matrix down = {.weight = m->down, .kind = FLOAT32, .rows = m->rank, .columns = m->columns};
    int64_t from, to;
    share(m->rank, 1, &from, &to);
    multiply(&down, in, n, NULL, from, to, reduced, m->rank, 0);
    for (int64_t t = 0; t < n; t++)
        for (int64_t r = from; r < to; r++) reduced[t * m->rank + r] *= m->strength[r];
}

/* Several matrices of one input, their rows shared out as if they were one.  outs[i] (n, rows); reduced: room for
 * (n, rank) of each. */
AVX512 static void multiply_all(const matrix *m[], float *outs[], int64_t matrices, input *in, int64_t n,
                                float *reduced, int64_t rank, int add) {
    int64_t total = 0, adapted = 0, bytes = 0, from, to;
    for (int64_t i = 0; i < matrices; i++) {
        total += m[i]->rows;
        adapted += m[i]->rank;
        bytes |= m[i]->kind == BYTES;
        if (m[i]->rank) reduce(m[i], in, n, reduced + i * n * rank);
    }
    if (bytes) quantise(in, n, m[0]->columns);
    if (adapted) {
#pragma omp barrier
    }
    share(total, AT_ONCE, &from, &to);
    for (int64_t i = 0, before = 0; i < matrices; before += m[i]->rows, i++) {
        int64_t first = from > before ? from - before : 0, last = least(to - before, m[i]->rows);
        if (first < last) multiply(m[i], in, n, reduced + i * n * rank, first, last, outs[i], m[i]->rows, add);
    }
#pragma omp barrier
}

#endif
