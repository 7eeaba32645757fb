/* Whole-number products: rows of activations rounded to 8 bits, times weights in 8 bits, back to bf16: shared out as in
 * turns.h, by fours of terms.
 *
 * The processor multiplies unsigned by signed bytes (vpdpbusd).  The weights are the unsigned ones, raised by 128 while
 * they are brought into the order that it wants; 128 times the sum of a row's codes is taken off where its sums begin.
 * Nothing saturates, and what overflows on the way comes back: the sums are those of whole numbers, exactly.
 */
#include "turns.h"

/* four bytes of every quarter of a vector behind one another: what instructions do in quarters goes over the whole */
#define ACROSS _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0)

/* sixteen numbers of a row, times those of `by` where it is given */
AVX512VNNI INLINE __m512 sixteen(const bf16 *x, const float *by, __mmask16 mask) {
    const __m512 v = load_bf16_part(x, mask);
    return by == NULL ? v : _mm512_mul_ps(v, _mm512_maskz_loadu_ps(mask, by));
}

/* x / worth, to the nearest whole number: the quotient by `inverse`, and what it leaves divided once more, which makes
 * it that of a division */
AVX512VNNI static inline __m512i divided(__m512 x, __m512 worth, __m512 inverse) {
    const __m512 near = _mm512_mul_ps(x, inverse);
    return _mm512_cvtps_epi32(_mm512_fmadd_ps(_mm512_fnmadd_ps(near, worth, x), inverse, near));
}

/* the largest |x| of thirty-two, and of what was found before: the bits, as whole numbers in the order of what they
 * stand for, infinity and then NaN at the end */
AVX512VNNI INLINE __m512i largest(__m512i found, const bf16 *x, const float *by, __mmask32 mask) {
    if (by == NULL) {
        const __m512i v = _mm512_and_si512(_mm512_maskz_loadu_epi16(mask, x), _mm512_set1_epi16(0x7FFF));
        return _mm512_max_epu16(found, v);
    }
    UNROLL for (int i = 0; i < 2; i++) {
        const __m512i v = _mm512_castps_si512(sixteen(x + 16 * i, by + 16 * i, (__mmask16)(mask >> 16 * i)));
        found = _mm512_max_epu32(found, _mm512_and_si512(v, _mm512_set1_epi32(0x7FFFFFFF)));
    }
    return found;
}

/* the codes of the first n of sixty-four numbers, 0 for the others */
AVX512VNNI INLINE __m512i coded(const bf16 *x, const float *by, int64_t n, __m512 worth, __m512 inverse) {
    const __mmask64 mask = first_lanes(n);
    __m512i q[4];
    UNROLL for (int i = 0; i < 4; i++)
        q[i] = divided(sixteen(x + 16 * i, by == NULL ? NULL : by + 16 * i, (__mmask16)(mask >> 16 * i)), worth,
                       inverse);
    const __m512i packed = _mm512_packs_epi16(_mm512_packs_epi32(q[0], q[1]), _mm512_packs_epi32(q[2], q[3]));
    /* each quarter has four of every sixteen */
    return _mm512_permutexvar_epi32(ACROSS, packed);
}

AVX512VNNI INLINE void quantise_row(const bf16 *x, const float *by, int64_t columns, int64_t stride, int8_t *codes,
                                    float *scale, int32_t *sum) {
    __m512i found = _mm512_setzero_si512(), total = found;
    int64_t i = 0;
    for (; i + 32 <= columns; i += 32) found = largest(found, x + i, by == NULL ? NULL : by + i, ~0u);
    if (i < columns) found = largest(found, x + i, by == NULL ? NULL : by + i, first_lanes(columns - i));
    if (by == NULL) /* two of sixteen bits, each the upper half of a number */
        found = _mm512_max_epu32(_mm512_slli_epi32(found, 16), _mm512_and_si512(found, _mm512_set1_epi32(-65536)));
    const uint32_t bits = _mm512_reduce_max_epu32(found);
    float worth;
    memcpy(&worth, &bits, sizeof worth);
    worth = (worth < SMALLEST ? SMALLEST : worth) / 127.0f;
    const __m512 w = _mm512_set1_ps(worth), inverse = _mm512_set1_ps(1.0f / worth);
    const __m512i ones = _mm512_set1_epi8(1);
    for (i = 0; i + 64 <= columns; i += 64) {
        const __m512i q = coded(x + i, by == NULL ? NULL : by + i, 64, w, inverse);
        total = _mm512_dpbusd_epi32(total, ones, q);
        _mm512_storeu_si512(codes + i, q);
    }
    for (; i < stride; i += 64) {
        __m512i q = _mm512_setzero_si512();
        if (i < columns) q = coded(x + i, by == NULL ? NULL : by + i, columns - i, w, inverse);
        total = _mm512_dpbusd_epi32(total, ones, q);
        _mm512_storeu_si512(codes + i, q);
    }
    *scale = worth;
    *sum = _mm512_reduce_add_epi32(total);
}

AVX512VNNI static void quantise(const bf16 *x, const float *by, int64_t columns, int64_t stride, int8_t *codes,
                                float *scale, int32_t *sum) {
    if (by == NULL) quantise_row(x, NULL, columns, stride, codes, scale, sum);
    else quantise_row(x, by, columns, stride, codes, scale, sum);
}

/* codes (rows, stride): x (rows, columns), times by (columns) where it is given, over scale (rows); 0 from `columns`
 * on; sums (rows) of the codes.  `stride` is a multiple of 64. */
void quire_quantise_rows(const bf16 *x, const float *by, int8_t *codes, float *scale, int32_t *sums, int64_t rows,
                         int64_t columns, int64_t stride) {
#pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++)
        quantise(x + r * columns, by, columns, stride, codes + r * stride, scale + r, sums + r);
}

typedef struct {
    const float *scale;  /* (rows) */
    const int32_t *sums; /* (rows) of codes */
    const float *worth;  /* (outputs) or NULL */
    const float *bias;   /* (outputs) or NULL */
    bf16 *out;           /* (rows, outputs) */
    int64_t add;         /* to what is there */
} Product;

/* weights (outputs, terms): for every four terms the four bytes of every output, raised by 128 */
AVX512VNNI static void pack_rows(const Work *work, int64_t n0, int64_t k0, int64_t k1, char *panel) {
    const __m512i raise = _mm512_set1_epi8((char)0x80);
    for (int part = 0; part < PARTS; part++) {
        for (int64_t k = k0; k < k1; k += 64) {
            char *to = panel + (k - k0) / 4 * GROUPS + part * 64;
            const __mmask64 mask = first_lanes(k1 - k);
            __m512i v[16];
            UNROLL for (int i = 0; i < 16; i++) {
                const int64_t n = n0 + 16 * part + i;
                v[i] = _mm512_maskz_loadu_epi8(n < work->outputs ? mask : 0, work->w + n * work->w_stride + k);
            }
            transpose(v);
            UNROLL for (int i = 0; i < 16; i++) _mm512_store_si512(to + i * GROUPS, _mm512_xor_si512(v[i], raise));
        }
    }
}

/* the same out of weights (terms, outputs) */
AVX512VNNI static void pack_columns(const Work *work, int64_t n0, int64_t k0, int64_t k1, char *panel) {
    const __m512i raise = _mm512_set1_epi8((char)0x80);
    const __mmask64 mask = first_lanes(work->outputs - n0);
    for (int64_t k = k0; k < k1; k += 4, panel += GROUPS) {
        const char *from = work->w + k * work->w_stride + n0;
        __m512i v[4];
        UNROLL for (int i = 0; i < 4; i++) {
            _mm_prefetch(from + (16 + i) * work->w_stride, _MM_HINT_T0);
            const __m512i row = _mm512_maskz_loadu_epi8(k + i < k1 ? mask : 0, from + i * work->w_stride);
            v[i] = _mm512_permutexvar_epi32(ACROSS, _mm512_xor_si512(row, raise));
        }
        const __m512i low = _mm512_unpacklo_epi8(v[0], v[1]), high = _mm512_unpackhi_epi8(v[0], v[1]);
        const __m512i low2 = _mm512_unpacklo_epi8(v[2], v[3]), high2 = _mm512_unpackhi_epi8(v[2], v[3]);
        _mm512_store_si512(panel, _mm512_unpacklo_epi16(low, low2));
        _mm512_store_si512(panel + 64, _mm512_unpackhi_epi16(low, low2));
        _mm512_store_si512(panel + 128, _mm512_unpacklo_epi16(high, high2));
        _mm512_store_si512(panel + 192, _mm512_unpackhi_epi16(high, high2));
    }
}

/* sums of whole numbers as what they are worth */
AVX512VNNI INLINE __m512 valued(__m512i sum, const Product *p, int64_t row, __m512 worth,
                                __m512 bias) {
    __m512 y = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_set1_ps(p->scale[row]));
    if (p->worth != NULL) y = _mm512_mul_ps(y, worth);
    return p->bias == NULL ? y : _mm512_add_ps(y, bias);
}

AVX512VNNI INLINE void tile(const int height, Job *job, int64_t row, const char *soon) {
    const Work *work = job->work;
    const Product *p = work->product;
    const int64_t stride = work->x_stride, outputs = work->outputs, fours = over(job->k1 - job->k0, GROUP);
    const char *x = work->x + row * stride + job->k0, *panel = job->panel;
    const char *half[2] = {x, x + 3 * stride};
    bf16 *out = p->out + row * outputs + job->n0;
    int32_t *sums = (int32_t *)job->sums + (row - job->start) * PANEL;
    const int64_t at_once = job->next.rows > 0 ? job->at_once : 0;
    __m512i sum[TILE][PARTS];
    UNROLL for (int r = 0; r < height; r++)
        UNROLL for (int v = 0; v < PARTS; v++)
            sum[r][v] = job->is_first ? _mm512_set1_epi32(-128 * p->sums[row + r])
                                      : _mm512_load_si512(sums + r * PANEL + 16 * v);
    int64_t k = 0;
    for (; k + CHUNK <= fours; k += CHUNK) {
        for (int64_t i = 0; i < at_once; i++) go_on(&job->next);
        for (int r = 0; r < TILE; r++) _mm_prefetch(soon + r * stride + GROUP * k, _MM_HINT_T1);
        for (int64_t r = k / CHUNK * 2; r < least(height, k / CHUNK * 2 + 2); r++)
            for (int i = 0; i < PANEL; i += 32) __builtin_prefetch(out + r * outputs + i, 1);
        for (int i = 0; i < CHUNK; i += 2) {
            ADD_GROUP(_mm512_dpbusd_epi32, 4)
            ADD_GROUP(_mm512_dpbusd_epi32, 4)
        }
    }
    for (; k < fours; k++) ADD_GROUP(_mm512_dpbusd_epi32, 4)
    if (!job->is_last) {
        UNROLL for (int r = 0; r < height; r++)
            UNROLL for (int v = 0; v < PARTS; v++) _mm512_store_si512(sums + r * PANEL + 16 * v, sum[r][v]);
        return;
    }
    const __m512 none = _mm512_setzero_ps();
    if (job->n0 + PANEL <= outputs && !p->add) {
        UNROLL for (int v = 0; v < PARTS; v += 2) {
            __m512 worth[2] = {none, none}, bias[2] = {none, none};
            UNROLL for (int i = 0; i < 2; i++) {
                if (p->worth != NULL) worth[i] = _mm512_loadu_ps(p->worth + job->n0 + 16 * (v + i));
                if (p->bias != NULL) bias[i] = _mm512_loadu_ps(p->bias + job->n0 + 16 * (v + i));
            }
            UNROLL for (int r = 0; r < height; r++) {
                const __m512 a = valued(sum[r][v], p, row + r, worth[0], bias[0]);
                const __m512 b = valued(sum[r][v + 1], p, row + r, worth[1], bias[1]);
                _mm512_storeu_si512(out + r * outputs + 16 * v, (__m512i)_mm512_cvtne2ps_pbh(b, a));
            }
        }
        return;
    }
    UNROLL for (int v = 0; v < PARTS; v++) {
        const int64_t n = job->n0 + 16 * v;
        if (n >= outputs) break;
        const __mmask16 mask = first_lanes(outputs - n);
        const __m512 worth = p->worth == NULL ? none : _mm512_maskz_loadu_ps(mask, p->worth + n);
        const __m512 bias = p->bias == NULL ? none : _mm512_maskz_loadu_ps(mask, p->bias + n);
        UNROLL for (int r = 0; r < height; r++) {
            __m512 y = valued(sum[r][v], p, row + r, worth, bias);
            bf16 *to = out + r * outputs + 16 * v;
            if (p->add) y = _mm512_add_ps(y, load_bf16_part(to, mask));
            store_bf16_part(to, y, mask);
        }
    }
}

SOME_ROWS(AVX512VNNI)

/* out (rows, outputs) = codes (rows, terms) · weights · scale · worth + bias, or += where `add` is not 0.  The weights
 * are (outputs, terms), or (terms, outputs) where `by_terms` is not 0.  `stride` is that of the codes, with zeros behind
 * a row's terms.  Returns 1 where no memory is found, otherwise 0. */
int quire_bytes_product(const int8_t *codes, const float *scale, const int32_t *sums, const int8_t *weights,
                        const float *worth, const float *bias, bf16 *out, int64_t rows, int64_t outputs, int64_t terms,
                        int64_t stride, int64_t by_terms, int64_t add) {
    const Product product = {scale, sums, worth, bias, out, add};
    const Work work = {.x = (const char *)codes, .w = (const char *)weights, .rows = rows, .outputs = outputs,
                       .terms = terms, .x_stride = stride, .w_stride = by_terms ? outputs : terms, .by_terms = by_terms,
                       .bytes = 1, .w_bytes = 1, .pack = by_terms ? pack_columns : pack_rows, .some_rows = some_rows,
                       .product = &product};
    return multiplied(&work);
}
