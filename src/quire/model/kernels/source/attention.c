/* Causal attention over packed works, forward and backward, after FlashAttention-2 (arXiv 2307.08691): tile by tile,
 * no matrix of all scores.  Products in bf16 with float32 sums (vdpbf16ps), softmax in float32, rotary positions on
 * the way in and out.
 *
 * Names: a row of tokens holds `segments` works, work i from starts[i] up to starts[i + 1]; no work sees another.  A
 * work is padded to whole groups of 16 tokens, so that its result is the same, bit for bit, wherever it stands in a
 * row.
 * q, out, dq, dout: (tokens, heads, dim); k, v, dk, dv: (tokens, groups, dim), with `heads / groups` heads to a group.
 * cos, sin: (turns, dim), that of token t at row t % turns; NULL where nothing is to be turned.
 * lse: (heads, tokens), the logarithm to base 2 of the sum of exponentials of a row of scores.
 */
#include "attention_tiles.h"
#include <math.h>

#define TILE 64  /* tokens on either side of a tile of scores */
#define UNITS 12 /* of work on the way back, at least: what threads share among them */
#define SLACK 8.0f
#define LOG2E 1.44269504088896341f

/* Where the padded works begin in a buffer of padded tokens: offsets (segments + 1). */
static void lay_out(int64_t *offsets, const int64_t *starts, int64_t segments) {
    offsets[0] = 0;
    for (int64_t i = 0; i < segments; i++) offsets[i + 1] = offsets[i] + padded(starts[i + 1] - starts[i]);
}

/* Scores of ROWS queries (ROWS, dim) with 16 * NG keys, and their probabilities in `p` (ROWS, 64), bf16; where `seen`
 * is not 0, the last sixteen keys are those of the queries' own group, of which query i sees the first `seen` + i.
 * `scale` brings scores to units of log 2.  `highest` (ROWS), `total` (ROWS, 16), `out` (ROWS, dim) are brought up to
 * date.
 *
 * The exponentials count from `highest`, which follows the largest score only where that has left it far behind: what
 * is up to SLACK above is as exact, and the sums so far need not be scaled (after FlashAttention-4). */
#define SOFTEN(ROWS, NG)                                                                                              \
    AVX512BF16 INLINE void soften_##ROWS##_##NG(                                                                      \
        bf16 *p, const bf16 *queries, const bf16 *keys, float *highest, float *total, float *out, int64_t dim,        \
        int seen, float scale) {                                                                                      \
        const __m512 by = _mm512_set1_ps(scale), lowest = _mm512_set1_ps(-INFINITY);                                  \
        __m512 s[ROWS][NG];                                                                                           \
        for (int i = 0; i < ROWS; i++)                                                                                \
            for (int j = 0; j < NG; j++) s[i][j] = _mm512_setzero_ps();                                               \
        for (int64_t d = 0; d < dim; d += 2) {                                                                        \
            __m512bh right[NG];                                                                                       \
            for (int j = 0; j < NG; j++) right[j] = (__m512bh)_mm512_loadu_si512(keys + 16 * (d + j * dim));          \
            UNROLL for (int i = 0; i < ROWS; i++) {                                                                   \
                __m512bh left = two_of(queries + i * dim + d);                                                        \
                for (int j = 0; j < NG; j++) s[i][j] = _mm512_dpbf16_ps(s[i][j], left, right[j]);                     \
            }                                                                                                         \
        }                                                                                                             \
        UNROLL for (int i = 0; i < ROWS; i++) {                                                                       \
            __m512 top = lowest, sum = _mm512_loadu_ps(total + 16 * i), most = _mm512_set1_ps(highest[i]);            \
            UNROLL for (int j = 0; j < NG; j++) {                                                                     \
                s[i][j] = _mm512_mul_ps(s[i][j], by);                                                                 \
                if (seen && j == NG - 1) s[i][j] = _mm512_mask_mov_ps(lowest, first_lanes(seen + i), s[i][j]);        \
                top = _mm512_max_ps(top, s[i][j]);                                                                    \
            }                                                                                                         \
            if (_mm512_cmp_ps_mask(top, _mm512_add_ps(most, _mm512_set1_ps(SLACK)), _CMP_NLE_UQ)) {                   \
                __m512 now = _mm512_set1_ps(_mm512_reduce_max_ps(top));                                               \
                __m512 less = power_of_two(_mm512_sub_ps(most, now));                                                 \
                for (int64_t d = i * dim; d < (i + 1) * dim; d += 16)                                                 \
                    _mm512_storeu_ps(out + d, _mm512_mul_ps(less, _mm512_loadu_ps(out + d)));                         \
                sum = _mm512_mul_ps(sum, less);                                                                       \
                most = now;                                                                                           \
                highest[i] = _mm512_cvtss_f32(now);                                                                   \
            }                                                                                                         \
            UNROLL for (int j = 0; j < NG; j++) {                                                                     \
                __m512 e = power_of_two(_mm512_sub_ps(s[i][j], most));                                                \
                sum = _mm512_add_ps(sum, e);                                                                          \
                store_bf16(p + i * TILE + 16 * j, e);                                                                 \
            }                                                                                                         \
            _mm512_storeu_ps(total + 16 * i, sum);                                                                    \
        }                                                                                                             \
    }
SOFTEN(16, 1)
SOFTEN(8, 2)
SOFTEN(4, 3)
SOFTEN(4, 4)

/* Sixteen queries and the keys of one tile: probabilities in `p` (16, 64).  Where `own` is not negative, the tile is
 * the queries' own, and they are its group `own`; of later ones they see nothing. */
OWN_FUNCTION static void soften(bf16 *p, const bf16 *queries, const bf16 *keys, float *highest, float *total,
                                float *out, int64_t dim, int64_t own, float scale) {
#define EACH(ROWS, NG, OWN)                                                                                           \
    for (int i = 0; i < 16; i += ROWS)                                                                                \
        soften_##ROWS##_##NG(p + i * TILE, queries + i * dim, keys, highest + i, total + 16 * i, out + i * dim, dim,  \
                             (OWN) ? i + 1 : 0, scale)
    switch (own) {
    case 0: EACH(16, 1, 1); break;
    case 1: EACH(8, 2, 1); break;
    case 2: EACH(4, 3, 1); break;
    case 3: EACH(4, 4, 1); break;
    default: EACH(4, 4, 0); break;
    }
#undef EACH
}

/* One query's sums over the values (dim), by that of its exponentials, which is returned. */
AVX512BF16 static float divide(bf16 *out, const float *sums, const float *total, int64_t dim) {
    float sum = _mm512_reduce_add_ps(_mm512_loadu_ps(total));
    __m512 by = _mm512_set1_ps(1.0f / sum);
    for (int64_t d = 0; d < dim; d += 16) store_bf16(out + d, _mm512_mul_ps(by, _mm512_loadu_ps(sums + d)));
    return sum;
}

/* Returns 0, or 1 where there was no memory. */
AVX512BF16 int64_t quire_attention_forward(const bf16 *q, int64_t q_row, const bf16 *k, int64_t k_row, const bf16 *v,
                                           int64_t v_row, const bf16 *cos, const bf16 *sin, int64_t turns,
                                           const int64_t *starts, int64_t segments, int64_t heads, int64_t groups,
                                           int64_t dim, float scale, bf16 *out, float *lse) {
    int64_t tokens = starts[segments], share = heads / groups, blocks = 0, bad = 0;
    int64_t *offsets = room_for((segments + 1) * 2 * sizeof(int64_t)), *blocks_before = offsets + segments + 1;
    if (offsets == NULL) return 1;
    lay_out(offsets, starts, segments);
    for (int64_t i = 0; i < segments; i++) {
        blocks_before[i] = blocks;
        blocks += over(starts[i + 1] - starts[i], TILE);
    }
    blocks_before[segments] = blocks;
    int64_t all = offsets[segments];
    bf16 *keys = room_for(groups * all * dim * sizeof(bf16)), *values = room_for(groups * all * dim * sizeof(bf16));
    if (keys == NULL || values == NULL) bad = 1;
    const int64_t go = !bad; /* `bad` may change while threads are still on their way in */
#pragma omp parallel
    if (go) {
        bf16 *rows = room_for(TILE * dim * sizeof(bf16));
        bf16 *p = room_for(16 * TILE * sizeof(bf16));
        float *sums = room_for(TILE * dim * sizeof(float));
        float highest[TILE], total[TILE * 16];
        if (rows == NULL || p == NULL || sums == NULL) {
#pragma omp atomic write
            bad = 1;
        }
#pragma omp barrier
        if (!bad) {
#pragma omp for schedule(dynamic, 1) collapse(2)
            for (int64_t g = 0; g < groups; g++)
                for (int64_t b = 0; b < blocks; b++) {
                    int64_t w = 0;
                    while (blocks_before[w + 1] <= b) w++;
                    int64_t at = (b - blocks_before[w]) * TILE, n = least(TILE, starts[w + 1] - starts[w] - at);
                    int64_t first = starts[w] + at, place = (g * all + offsets[w] + at) * dim;
                    gather(rows, k + first * k_row + g * dim, k_row, n, dim, cos, sin, turns, first);
                    by_features(keys + place, rows, padded(n), dim);
                    gather(rows, v + first * v_row + g * dim, v_row, n, dim, NULL, NULL, 1, first);
                    by_tokens(values + place, rows, padded(n), dim);
                }
#pragma omp for schedule(dynamic, 1)
            for (int64_t unit = heads * blocks - 1; unit >= 0; unit--) {
                int64_t h = unit % heads, b = unit / heads, w = 0;
                while (blocks_before[w + 1] <= b) w++;
                int64_t at = (b - blocks_before[w]) * TILE, n = least(TILE, starts[w + 1] - starts[w] - at);
                int64_t first = starts[w] + at, place = (h / share * all + offsets[w]) * dim;
                gather(rows, q + first * q_row + h * dim, q_row, n, dim, cos, sin, turns, first);
                memset(sums, 0, padded(n) * dim * sizeof(float));
                for (int i = 0; i < TILE; i++) highest[i] = -INFINITY;
                memset(total, 0, sizeof(total));
                for (int64_t key = 0; key < at + n; key += TILE)
                    for (int64_t i = 0; i < padded(n); i += 16) {
                        int64_t own = key == at ? i / 16 : -1, sixteens = key == at ? i / 16 + 1 : TILE / 16;
                        soften(p, rows + i * dim, keys + place + key * dim, highest + i, total + 16 * i, sums + i * dim,
                               dim, own, scale * LOG2E);
                        multiply(sums + i * dim, dim, p, TILE, 2, values + place + key * dim, 2 * dim, 32, dim / 16,
                                 8 * sixteens, 1);
                    }
                for (int64_t i = 0; i < n; i++) {
                    float sum = divide(out + ((first + i) * heads + h) * dim, sums + i * dim, total + 16 * i, dim);
                    lse[h * tokens + first + i] = highest[i] + log2f(sum);
                }
            }
        }
        free(rows), free(p), free(sums);
    }
    free(keys), free(values), free(offsets);
    return bad;
}

/* One head's queries from `first` of their work on, up to 64 (m, padded), with all that the way back reads of them. */
typedef struct {
    bf16 *rows, *q_features, *q_tokens, *o_features, *o_tokens;
    float levels[TILE], inner[TILE]; /* lse; the gradient's product with what came out */
    float *dq;                       /* (m, dim) */
    int64_t first, m;
} asking;

/* A tile's probabilities and the gradients of its scores, transposed, rows are keys and columns queries, (64, 64) bf16;
 * pairs: [32][64][2], the latter again. */
typedef struct {
    bf16 *prob, *dscore, *pairs;
} tile;

/* ROWS keys, 16 * NG queries from column `at` on; where `own`, key i sees the queries of the first group from lane
 * `own` - 1 + i on. */
#define GRADIENT(ROWS, NG)                                                                                            \
    AVX512BF16 INLINE void gradient_##ROWS##_##NG(                                                                    \
        const tile *to, int64_t row, int64_t at, const bf16 *k, const bf16 *v, const asking *q, int64_t dim, int own, \
        float scale) {                                                                                                \
        const __m512 by = _mm512_set1_ps(scale * LOG2E);                                                              \
        const bf16 *q_right = q->q_features + at * dim, *o_right = q->o_features + at * dim;                          \
        __m512 s[ROWS][NG], d[ROWS][NG];                                                                              \
        for (int i = 0; i < ROWS; i++)                                                                                \
            for (int j = 0; j < NG; j++) s[i][j] = d[i][j] = _mm512_setzero_ps();                                     \
        for (int64_t f = 0; f < dim; f += 2) {                                                                        \
            __m512bh q_now[NG], o_now[NG];                                                                            \
            UNROLL for (int j = 0; j < NG; j++) {                                                                     \
                q_now[j] = (__m512bh)_mm512_loadu_si512(q_right + 16 * (f + j * dim));                                \
                o_now[j] = (__m512bh)_mm512_loadu_si512(o_right + 16 * (f + j * dim));                                \
            }                                                                                                         \
            UNROLL for (int i = 0; i < ROWS; i++) {                                                                   \
                __m512bh left = two_of(k + i * dim + f), right = two_of(v + i * dim + f);                             \
                UNROLL for (int j = 0; j < NG; j++) {                                                                 \
                    s[i][j] = _mm512_dpbf16_ps(s[i][j], left, q_now[j]);                                              \
                    d[i][j] = _mm512_dpbf16_ps(d[i][j], right, o_now[j]);                                             \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
        UNROLL for (int j = 0; j < NG; j++) {                                                                         \
            __m512 level = _mm512_loadu_ps(q->levels + at + 16 * j), minus = _mm512_loadu_ps(q->inner + at + 16 * j); \
            UNROLL for (int i = 0; i < ROWS; i += 2) {                                                                \
                int64_t place = (row + i) * TILE + at + 16 * j;                                                       \
                __m512 p[2], g[2];                                                                                    \
                for (int e = 0; e < 2; e++) {                                                                         \
                    p[e] = power_of_two(_mm512_fmsub_ps(s[i + e][j], by, level));                                     \
                    g[e] = _mm512_sub_ps(d[i + e][j], minus);                                                         \
                    if (own && j == 0) {                                                                              \
                        __mmask16 m = (__mmask16)(0xFFFFu << (own - 1 + i + e));                                      \
                        p[e] = _mm512_maskz_mov_ps(m, p[e]);                                                          \
                        g[e] = _mm512_maskz_mul_ps(m, p[e], g[e]);                                                    \
                    } else {                                                                                          \
                        g[e] = _mm512_mul_ps(p[e], g[e]);                                                             \
                    }                                                                                                 \
                    store_bf16(to->prob + place + e * TILE, p[e]);                                                    \
                }                                                                                                     \
                __m512i both = (__m512i)_mm512_cvtne2ps_pbh(g[1], g[0]);                                              \
                _mm256_storeu_si256((__m256i *)(to->dscore + place), _mm512_castsi512_si256(both));                   \
                _mm256_storeu_si256((__m256i *)(to->dscore + place + TILE), _mm512_extracti64x4_epi64(both, 1));      \
                _mm512_storeu_si512(to->pairs + (row + i) * TILE + 2 * (at + 16 * j), interleaved(both));             \
            }                                                                                                         \
        }                                                                                                             \
    }
GRADIENT(8, 1)
GRADIENT(4, 2)

/* Sixteen keys, those of the tile's rows from `row` on, and the queries from column `at` on, up to `end`; where `own`,
 * the first sixteen queries are at the places of these keys. */
OWN_FUNCTION static void gradient(const tile *to, int64_t row, int64_t at, int64_t end, const bf16 *k, const bf16 *v,
                                  const asking *q, int64_t dim, int own, float scale) {
#define EACH(ROWS, NG, OWN)                                                                                           \
    for (int i = 0; i < 16; i += ROWS)                                                                                \
        gradient_##ROWS##_##NG(to, row + i, at, k + i * dim, v + i * dim, q, dim, (OWN) ? i + 1 : 0, scale)
    if (own && end - at >= 32) {
        EACH(4, 2, 1);
        at += 32;
    } else if (own) {
        EACH(8, 1, 1);
        at += 16;
    }
    for (; end - at >= 32; at += 32) EACH(4, 2, 0);
    if (at < end) EACH(8, 1, 0);
#undef EACH
}

/* What up to 64 queries of one head leave behind: their own gradient in q->dq, and that of all keys and values that
 * they see: it is added to dk and dv (tokens, dim) or, where not `add`, begins them. */
OWN_FUNCTION static void walk_back(asking *q, float *dk, float *dv, int add, const bf16 *k,
                                   const bf16 *k_tokens, const bf16 *v, int64_t dim, float scale, const tile *t) {
    for (int64_t key = 0; key < q->first + q->m; key += TILE) {
        int64_t keys = least(TILE, q->first + q->m - key);
        for (int64_t i = 0; i < keys; i += 16) {
            /* queries before their own group see nothing of these keys */
            int own = key == q->first;
            int64_t at = own ? i : 0, row = key + i;
            gradient(t, i, at, q->m, k + row * dim, v + row * dim, q, dim, own, scale);
            multiply(dv + row * dim, dim, t->prob + i * TILE + at, TILE, 2, q->o_tokens + at * dim, 2 * dim, 32,
                     dim / 16, (q->m - at) / 2, add);
            multiply(dk + row * dim, dim, t->dscore + i * TILE + at, TILE, 2, q->q_tokens + at * dim, 2 * dim, 32,
                     dim / 16, (q->m - at) / 2, add);
        }
        for (int64_t i = 0; i < q->m; i += 16)
            multiply(q->dq + i * dim, dim, t->pairs + 2 * i, 2, 2 * TILE, k_tokens + key * dim, 2 * dim, 32, dim / 16,
                     (key == q->first ? i + 16 : keys) / 2, key > 0);
    }
}

/* n queries with what came out, its gradient and their levels, each where the first of them lies. */
OWN_FUNCTION static void ask(asking *x, const bf16 *q, int64_t q_row, const bf16 *out, const bf16 *dout, int64_t o_row,
                             const float *lse, int64_t n, int64_t dim, const bf16 *cos, const bf16 *sin, int64_t turns,
                             int64_t place) {
    x->m = padded(n);
    gather(x->rows, q, q_row, n, dim, cos, sin, turns, place);
    by_features(x->q_features, x->rows, x->m, dim);
    by_tokens(x->q_tokens, x->rows, x->m, dim);
    gather(x->rows, dout, o_row, n, dim, NULL, NULL, 1, place);
    by_features(x->o_features, x->rows, x->m, dim);
    by_tokens(x->o_tokens, x->rows, x->m, dim);
    for (int64_t i = 0; i < x->m; i++) {
        x->levels[i] = i < n ? lse[i] : INFINITY; /* the padding has no part in anything */
        x->inner[i] = i < n ? dot(out + i * o_row, x->rows + i * dim, dim, o_row) : 0.0f;
    }
}

/* The tile of queries that piece `piece` of `pieces` has as its `turn`-th, negative after the last: from the end of the
 * work to its beginning, up and down among the pieces in turns, so that all have as much to do. */
static inline int64_t tile_of(int64_t tiles, int64_t piece, int64_t pieces, int64_t turn) {
    return tiles - 1 - turn * pieces - (turn % 2 ? pieces - 1 - piece : piece);
}

/* dq, dk, dv as q, k, v, each with rows one behind the other.  Returns 0, or 1 where there was no memory. */
AVX512BF16 int64_t quire_attention_backward(const bf16 *q, int64_t q_row, const bf16 *k, int64_t k_row, const bf16 *v,
                                            int64_t v_row, const bf16 *cos, const bf16 *sin, int64_t turns,
                                            const int64_t *starts, int64_t segments, int64_t heads, int64_t groups,
                                            int64_t dim, float scale, const bf16 *out, const float *lse,
                                            const bf16 *dout, bf16 *dq, bf16 *dk, bf16 *dv) {
    int64_t tokens = starts[segments], share = heads / groups, bad = 0;
    /* The queries of a group of heads are so many pieces of work, whatever the threads, each with sums of its own. */
    const int64_t pieces = over(UNITS, groups);
    int64_t *offsets = room_for((segments + 1) * sizeof(int64_t));
    if (offsets == NULL) return 1;
    lay_out(offsets, starts, segments);
    int64_t size = offsets[segments] * dim;
    bf16 *k_rows = room_for(3 * groups * size * sizeof(bf16)), *k_tokens = k_rows + groups * size;
    bf16 *v_rows = k_tokens + groups * size;
    const size_t sums_bytes = pieces * groups * size * sizeof(float);
    float *to_k = room_for(sums_bytes), *to_v = room_for(sums_bytes);
    if (k_rows == NULL || to_k == NULL || to_v == NULL) bad = 1;
    const int64_t go = !bad;
#pragma omp parallel
    if (go) {
        bf16 *halves = room_for((5 * dim + 3 * TILE) * TILE * sizeof(bf16)), *after = halves + 5 * TILE * dim;
        float *sums = room_for(TILE * dim * sizeof(float));
        if (halves == NULL || sums == NULL) {
#pragma omp atomic write
            bad = 1;
        }
#pragma omp barrier
        if (!bad) {
#pragma omp for schedule(dynamic, 1) collapse(2)
            for (int64_t g = 0; g < groups; g++)
                for (int64_t w = 0; w < segments; w++) {
                    int64_t first = starts[w], n = starts[w + 1] - first, place = g * size + offsets[w] * dim;
                    gather(k_rows + place, k + first * k_row + g * dim, k_row, n, dim, cos, sin, turns, first);
                    by_tokens(k_tokens + place, k_rows + place, padded(n), dim);
                    gather(v_rows + place, v + first * v_row + g * dim, v_row, n, dim, NULL, NULL, 1, first);
                }
            tile t = {after, after + TILE * TILE, after + 2 * TILE * TILE};
            asking x = {.rows = halves,
                        .q_features = halves + TILE * dim,
                        .q_tokens = halves + 2 * TILE * dim,
                        .o_features = halves + 3 * TILE * dim,
                        .o_tokens = halves + 4 * TILE * dim,
                        .dq = sums};
#pragma omp for schedule(dynamic, 1) collapse(3)
            for (int64_t w = 0; w < segments; w++)
                for (int64_t g = 0; g < groups; g++)
                    for (int64_t piece = 0; piece < pieces; piece++) {
                        int64_t length = starts[w + 1] - starts[w], tiles = over(length, TILE);
                        int64_t place = g * size + offsets[w] * dim, own = piece * groups * size + place;
                        for (int64_t turn = 0; (x.first = tile_of(tiles, piece, pieces, turn) * TILE) >= 0; turn++)
                            for (int64_t h = g * share; h < (g + 1) * share; h++) {
                                int64_t n = least(TILE, length - x.first), first = starts[w] + x.first;
                                int64_t at = (first * heads + h) * dim;
                                ask(&x, q + first * q_row + h * dim, q_row, out + at, dout + at, heads * dim,
                                    lse + h * tokens + first, n, dim, cos, sin, turns, first);
                                walk_back(&x, to_k + own, to_v + own, turn > 0 || h > g * share, k_rows + place,
                                          k_tokens + place, v_rows + place, dim, scale, &t);
                                scatter(dq + at, heads * dim, sums, n, dim, scale, cos, sin, turns, first);
                            }
                    }
#pragma omp for schedule(dynamic, 1) collapse(2)
            for (int64_t w = 0; w < segments; w++)
                for (int64_t g = 0; g < groups; g++) {
                    int64_t first = starts[w], n = starts[w + 1] - first, tiles = over(n, TILE);
                    int64_t place = g * size + offsets[w] * dim, to = (first * groups + g) * dim;
                    float *sum_k = to_k + place, *sum_v = to_v + place;
                    for (int64_t piece = 1; piece < least(pieces, tiles); piece++) {
                        int64_t numbers = (tiles - piece) * TILE * dim; /* what its first tile, the latest, sees */
                        add_to(sum_k, sum_k + piece * groups * size, numbers);
                        add_to(sum_v, sum_v + piece * groups * size, numbers);
                    }
                    scatter(dk + to, groups * dim, sum_k, n, dim, scale, cos, sin, turns, first);
                    scatter(dv + to, groups * dim, sum_v, n, dim, 1.0f, NULL, NULL, 1, first);
                }
        }
        free(halves), free(sums);
    }
    free(k_rows), free(to_k), free(to_v), free(offsets);
    return bad;
}
