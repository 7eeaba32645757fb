/* Products of rows in bf16 with weights that do not change, summed in float32 and rounded once: shared out as in
 * turns.h, by pairs of terms. */
#include "turns.h"

typedef struct {
    const float *scale; /* of weights in 8 bits: what one is worth, for each row of theirs; otherwise null */
    const bf16 *bias, *onto;
    bf16 *out;
    float *total; /* where the product is added instead; otherwise null */
    int64_t onto_stride, out_stride; /* the latter of `out` or `total` */
} Product;

/* thirty-two numbers of a row of the weights, from number i on, those that the mask leaves out 0: in bf16 already, or with
 * `size` 1 codes, each worth the row's scale */
AVX512BF16 INLINE __m512i numbers(const Work *work, int64_t row, int64_t i, __mmask32 mask, const int size) {
    const char *from = work->w + row * work->w_stride + i * size;
    if (size == 2) return _mm512_maskz_loadu_epi16(mask, from);
    const __m256i bytes = _mm256_maskz_loadu_epi8(mask, from);
    const __m512 by = _mm512_set1_ps(((const Product *)work->product)->scale[row]);
    const __m512 low = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_castsi256_si128(bytes)));
    const __m512 high = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_extracti128_si256(bytes, 1)));
    return (__m512i)_mm512_cvtne2ps_pbh(_mm512_mul_ps(high, by), _mm512_mul_ps(low, by));
}

/* weights (outputs, terms): for every pair of terms the two of every output */
AVX512BF16 INLINE void rows_packed(const Work *work, int64_t n0, int64_t k0, int64_t k1, char *panel, const int size) {
    for (int part = 0; part < PARTS; part++) {
        for (int64_t k = k0; k < k1; k += 32) {
            char *to = panel + (k - k0) / 2 * GROUPS + part * 64;
            const __mmask32 mask = first_lanes(k1 - k);
            __m512i v[16];
            UNROLL for (int i = 0; i < 16; i++) {
                const int64_t n = n0 + 16 * part + i;
                v[i] = n < work->outputs ? numbers(work, n, k, mask, size) : _mm512_setzero_si512();
            }
            transpose(v);
            UNROLL for (int i = 0; i < 16; i++) _mm512_store_si512(to + i * GROUPS, v[i]);
        }
    }
}

/* the same out of weights (terms, outputs) */
AVX512BF16 INLINE void columns_packed(const Work *work, int64_t n0, int64_t k0, int64_t k1, char *panel,
                                      const int size) {
    const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, /* a, then b */
                                         39, 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
    const __mmask32 masks[2] = {first_lanes(work->outputs - n0), first_lanes(work->outputs - n0 - 32)};
    for (int64_t k = k0; k < k1; k += 2, panel += GROUPS) {
        const char *from = work->w + k * work->w_stride + n0 * size;
        for (int64_t i = 16; i < 18; i++)
            for (int64_t n = 0; n < size * PANEL; n += LINE) _mm_prefetch(from + i * work->w_stride + n, _MM_HINT_T0);
        UNROLL for (int half = 0; half < 2; half++) {
            const int64_t n = n0 + 32 * half;
            const __m512i a = numbers(work, k, n, masks[half], size);
            const __m512i b = k + 1 < k1 ? numbers(work, k + 1, n, masks[half], size) : _mm512_setzero_si512();
            _mm512_store_si512(panel + 128 * half, _mm512_permutex2var_epi16(a, low, b));
            _mm512_store_si512(panel + 128 * half + 64, _mm512_permutex2var_epi16(a, high, b));
        }
    }
}

#define PACK(name, how, size)                                                                              \
    AVX512BF16 static void name(const Work *work, int64_t n0, int64_t k0, int64_t k1, char *panel) {       \
        how(work, n0, k0, k1, panel, size);                                                                \
    }
PACK(pack_rows, rows_packed, 2)
PACK(pack_byte_rows, rows_packed, 1)
PACK(pack_columns, columns_packed, 2)
PACK(pack_byte_columns, columns_packed, 1)

#define ADD_PAIR(sum, weights, terms) _mm512_dpbf16_ps(sum, (__m512bh)(weights), (__m512bh)(terms))

AVX512BF16 INLINE void tile(const int height, Job *job, int64_t row, const char *soon) {
    const Work *work = job->work;
    const Product *p = work->product;
    const int64_t stride = work->x_stride, pairs = (job->k1 - job->k0) / 2;
    const char *x = work->x + row * stride + 2 * job->k0, *panel = job->panel;
    const char *half[2] = {x, x + 3 * stride};
    const int64_t size = p->total == NULL ? sizeof(bf16) : sizeof(float), line = size * p->out_stride;
    const char *place = (p->total == NULL ? (char *)p->out : (char *)p->total) + row * line + size * job->n0;
    float *sums = (float *)job->sums + (row - job->start) * PANEL;
    const int64_t at_once = job->next.rows > 0 ? job->at_once : 0;
    __m512 sum[TILE][PARTS];
    UNROLL for (int r = 0; r < height; r++)
        UNROLL for (int v = 0; v < PARTS; v++)
            sum[r][v] = job->is_first ? _mm512_setzero_ps() : _mm512_load_ps(sums + r * PANEL + 16 * v);
    int64_t k = 0;
    for (; k + CHUNK <= pairs; k += CHUNK) {
        for (int64_t i = 0; i < at_once; i++) go_on(&job->next);
        for (int r = 0; r < TILE; r++) _mm_prefetch(soon + r * stride + GROUP * k, _MM_HINT_T1);
        if (k < CHUNK * height)
            for (int64_t i = 0; i < size * PANEL; i += LINE) __builtin_prefetch(place + k / CHUNK * line + i, 1);
        for (int i = 0; i < CHUNK; i += 2) {
            ADD_GROUP(ADD_PAIR, 4)
            ADD_GROUP(ADD_PAIR, 4)
        }
    }
    for (; k < pairs; k++) ADD_GROUP(ADD_PAIR, 4)
    if ((job->k1 - job->k0) % 2) ADD_GROUP(ADD_PAIR, 2)
    if (!job->is_last) {
        UNROLL for (int r = 0; r < height; r++)
            UNROLL for (int v = 0; v < PARTS; v++) _mm512_store_ps(sums + r * PANEL + 16 * v, sum[r][v]);
        return;
    }
    if (p->total != NULL) {
        UNROLL for (int v = 0; v < PARTS; v++) {
            const int64_t n = job->n0 + 16 * v;
            if (n >= work->outputs) break;
            const __mmask16 mask = first_lanes(work->outputs - n);
            UNROLL for (int r = 0; r < height; r++) {
                float *to = p->total + (row + r) * p->out_stride + n;
                _mm512_mask_storeu_ps(to, mask, _mm512_add_ps(_mm512_maskz_loadu_ps(mask, to), sum[r][v]));
            }
        }
        return;
    }
    bf16 *out = p->out + row * p->out_stride + job->n0;
    if (job->n0 + PANEL <= work->outputs && p->bias == NULL && p->onto == NULL) {
        UNROLL for (int r = 0; r < height; r++)
            UNROLL for (int v = 0; v < PARTS; v += 2)
                _mm512_storeu_si512(out + r * p->out_stride + 16 * v,
                                    (__m512i)_mm512_cvtne2ps_pbh(sum[r][v + 1], sum[r][v]));
        return;
    }
    UNROLL for (int v = 0; v < PARTS; v++) {
        const int64_t n = job->n0 + 16 * v;
        if (n >= work->outputs) break;
        const __mmask16 mask = first_lanes(work->outputs - n);
        const __m512 bias = p->bias == NULL ? _mm512_setzero_ps() : load_bf16_part(p->bias + n, mask);
        UNROLL for (int r = 0; r < height; r++) {
            __m512 y = _mm512_add_ps(sum[r][v], bias);
            if (p->onto != NULL)
                y = _mm512_add_ps(y, load_bf16_part(p->onto + (row + r) * p->onto_stride + n, mask));
            store_bf16_part(out + r * p->out_stride + 16 * v, y, mask);
        }
    }
}

SOME_ROWS(AVX512BF16)

/* out (rows, outputs) = x (rows, terms) · weights + bias (outputs) + onto (rows, outputs), the last two where given;
 * onto may be out.  The weights are (outputs, terms), or (terms, outputs) where `by_terms` is not 0: in bf16, or where
 * `scale` is given in 8 bits, with a scale for each of their rows.  The strides are those of rows.  Returns 1 where no
 * memory is found, otherwise 0. */
int quire_product(const bf16 *x, const char *w, const float *scale, const bf16 *bias, const bf16 *onto, bf16 *out,
                  int64_t rows, int64_t outputs, int64_t terms, int64_t x_stride, int64_t w_stride,
                  int64_t onto_stride, int64_t out_stride, int64_t by_terms) {
    const Product product = {scale, bias, onto, out, NULL, onto_stride, out_stride};
    const int64_t size = scale == NULL ? 2 : 1;
    Work work = {.x = (const char *)x, .w = w, .rows = rows, .outputs = outputs, .terms = terms,
                 .x_stride = 2 * x_stride, .w_stride = size * w_stride, .by_terms = by_terms, .bytes = 2,
                 .w_bytes = size, .some_rows = some_rows, .product = &product};
    if (scale == NULL)
        work.pack = by_terms ? pack_columns : pack_rows;
    else
        work.pack = by_terms ? pack_byte_columns : pack_byte_rows;
    return multiplied(&work);
}

/* total (rows, outputs) += x (rows, terms) · w (terms, outputs), in float32 and never rounded to less.  The strides are
 * those of rows.  Returns 1 where no memory is found, otherwise 0. */
int quire_product_added(const bf16 *x, const bf16 *w, float *total, int64_t rows, int64_t outputs, int64_t terms,
                        int64_t x_stride, int64_t w_stride) {
    const Product product = {.total = total, .out_stride = outputs};
    const Work work = {.x = (const char *)x, .w = (const char *)w, .rows = rows, .outputs = outputs, .terms = terms,
                       .x_stride = 2 * x_stride, .w_stride = 2 * w_stride, .by_terms = 1, .bytes = 2, .w_bytes = 2,
                       .pack = pack_columns, .some_rows = some_rows, .product = &product};
    return multiplied(&work);
}
