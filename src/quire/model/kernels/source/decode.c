/* One token of text, or a few, through all layers of a Llama-like decoder in a single call.
 *
 * Writing one token after the other reads every weight once a token, so memory sets the pace: the weights are read
 * where they lie, once for all texts that are written side by side, and everything between them is float32.  Threads
 * meet after each group of products; who computes a row changes nothing about it, nor how many texts are under way.
 */
#include "decode_products.h"

typedef struct {
    const float *norm, *mlp_norm; /* (hidden) */
    matrix q, k, v, o, gate, up, down;
} layer;

typedef struct {
    int64_t layers, hidden, heads, kv_heads, head; /* head: numbers in one */
    int64_t half;                                  /* embedding and cache are bf16, otherwise float32 */
    int64_t rank;                                  /* the largest */
    const void *embedding;                         /* (vocabulary, hidden) */
    const float *embedding_scale;                  /* (vocabulary) where that is in 8 bits, otherwise null */
    const float *norm;                             /* (hidden) */
    matrix scores;
    layer layer[];
} decoder;

/* What has been read: keys (slots, layers, kv_heads, capacity / 16, head, 16), so that one load holds one number of
 * sixteen tokens; values (slots, layers, kv_heads, capacity, head). */
typedef struct {
    void *keys, *values;
    const float *cos, *sin; /* (capacity, head) */
    int64_t capacity;
} view;

/* The tokens of this call: n of them, each with its place in the text of its slot. */
typedef struct {
    const int64_t *ids, *positions, *slots;
    int64_t n;
} tokens;

/* out (n, columns) = x over its root mean square, times weight */
AVX512 static void normalise(const float *x, int64_t n, int64_t columns, const float *weight, float eps, float *out) {
    for (int64_t t = 0; t < n; t++, x += columns, out += columns) {
        __m512 sum = _mm512_setzero_ps();
        for (int64_t c = 0; c < columns; c += 16) {
            __m512 v = _mm512_maskz_loadu_ps(first_lanes(columns - c), x + c);
            sum = _mm512_fmadd_ps(v, v, sum);
        }
        const __m512 by = _mm512_set1_ps(1 / sqrtf(_mm512_reduce_add_ps(sum) / (float)columns + eps));
        for (int64_t c = 0; c < columns; c += 16) {
            __mmask16 mask = first_lanes(columns - c);
            __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + c), by);
            _mm512_mask_storeu_ps(out + c, mask, _mm512_mul_ps(v, _mm512_maskz_loadu_ps(mask, weight + c)));
        }
    }
}

/* gate = silu(gate) · up, for n numbers */
AVX512 static void swiglu(float *gate, const float *up, int64_t n) {
    const __m512 one = _mm512_set1_ps(1);
    for (int64_t c = 0; c < n; c += 16) {
        __mmask16 mask = first_lanes(n - c);
        __m512 g = _mm512_maskz_loadu_ps(mask, gate + c), u = _mm512_maskz_loadu_ps(mask, up + c);
        __mmask16 negative = _mm512_movepi32_mask(_mm512_castps_si512(g));
        __m512 e = exp_ps(_mm512_or_ps(g, _mm512_set1_ps(-0.0f))); /* of -|g| */
        __m512 sigmoid = _mm512_div_ps(_mm512_mask_mov_ps(one, negative, e), _mm512_add_ps(one, e));
        _mm512_mask_storeu_ps(gate + c, mask, _mm512_mul_ps(_mm512_mul_ps(g, sigmoid), u));
    }
}

/* turn one head to its position, its first half against its second */
static void rotate(float *x, const float *cos, const float *sin, int64_t head) {
    for (int64_t i = 0, j = head / 2; j < head; i++, j++) {
        float a = x[i], b = x[j];
        x[i] = a * cos[i] - b * sin[i];
        x[j] = b * cos[j] + a * sin[j];
    }
}

/* to the nearest, ties to even; NaN stays NaN */
INLINE bf16 rounded(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return x != x ? 0x7FC0 : (bf16)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

INLINE void put(void *p, int64_t at, int64_t half, float x) {
    if (half)
        ((bf16 *)p)[at] = rounded(x);
    else
        ((float *)p)[at] = x;
}

/* number c of a word's embedding, as the model has it */
INLINE float embedded(const decoder *d, int64_t word, int64_t c) {
    const int64_t at = word * d->hidden + c;
    if (d->embedding_scale == NULL)
        return d->half ? float_of(((const bf16 *)d->embedding)[at]) : ((const float *)d->embedding)[at];
    const float x = (float)((const int8_t *)d->embedding)[at] * d->embedding_scale[word];
    return d->half ? float_of(rounded(x)) : x;
}

/* One token's heads h..h+heads-1, which share keys and values: q (heads, head) → out (heads, head).
 * `scores` has room for (heads, capacity). */
AVX512 INLINE void attend_some(const float *q, const void *keys, const void *values, int64_t half, int64_t head,
                               int64_t length, float factor, float *scores, int64_t capacity, int64_t heads,
                               float *out) {
    __m512 best[AT_ONCE], total[AT_ONCE];
    UNROLL for (int64_t h = 0; h < heads; h++) {
        best[h] = _mm512_set1_ps(-INFINITY);
        total[h] = _mm512_setzero_ps();
    }
    const __m512 by = _mm512_set1_ps(factor);
    for (int64_t at = 0; at < length; at += 16) {
        __m512 sum[AT_ONCE][2];
        UNROLL for (int64_t h = 0; h < heads; h++) sum[h][0] = sum[h][1] = _mm512_setzero_ps();
        for (int64_t d = 0; d < head; d += 2) { /* even, for its halves turn against each other */
            __m512 k0 = load_all(keys, at * head + d * 16, half), k1 = load_all(keys, at * head + d * 16 + 16, half);
            UNROLL for (int64_t h = 0; h < heads; h++) {
                sum[h][0] = _mm512_fmadd_ps(_mm512_set1_ps(q[h * head + d]), k0, sum[h][0]);
                sum[h][1] = _mm512_fmadd_ps(_mm512_set1_ps(q[h * head + d + 1]), k1, sum[h][1]);
            }
        }
        __mmask16 mask = first_lanes(length - at);
        UNROLL for (int64_t h = 0; h < heads; h++) {
            __m512 s = _mm512_mul_ps(_mm512_add_ps(sum[h][0], sum[h][1]), by);
            _mm512_storeu_ps(scores + h * capacity + at, s);
            best[h] = _mm512_mask_max_ps(best[h], mask, best[h], s);
        }
    }
    UNROLL for (int64_t h = 0; h < heads; h++) {
        const __m512 highest = _mm512_set1_ps(_mm512_reduce_max_ps(best[h]));
        for (int64_t at = 0; at < length; at += 16) {
            float *here = scores + h * capacity + at;
            __m512 below = _mm512_sub_ps(_mm512_loadu_ps(here), highest);
            __m512 e = _mm512_maskz_mov_ps(first_lanes(length - at), exp_ps(below));
            _mm512_storeu_ps(here, e);
            total[h] = _mm512_add_ps(total[h], e);
        }
    }
    for (int64_t d = 0; d < head; d += 64) {
        __m512 sum[AT_ONCE][4];
        __mmask16 mask[4];
        UNROLL for (int64_t i = 0; i < 4; i++) {
            mask[i] = first_lanes(head - d - i * 16);
            UNROLL for (int64_t h = 0; h < heads; h++) sum[h][i] = _mm512_setzero_ps();
        }
        for (int64_t at = 0; at < length; at++) {
            UNROLL for (int64_t i = 0; i < 4; i++) {
                __m512 v = load_part(values, at * head + d + i * 16, half, mask[i]);
                UNROLL for (int64_t h = 0; h < heads; h++)
                    sum[h][i] = _mm512_fmadd_ps(_mm512_set1_ps(scores[h * capacity + at]), v, sum[h][i]);
            }
        }
        UNROLL for (int64_t h = 0; h < heads; h++) {
            const __m512 inverse = _mm512_set1_ps(1 / _mm512_reduce_add_ps(total[h]));
            UNROLL for (int64_t i = 0; i < 4; i++)
                _mm512_mask_storeu_ps(out + h * head + d + i * 16, mask[i], _mm512_mul_ps(sum[h][i], inverse));
        }
    }
}

AVX512 static void attend(const float *q, const void *keys, const void *values, int64_t half, int64_t head,
                          int64_t length, float factor, float *scores, int64_t capacity, int64_t heads, float *out) {
#define HEADS(h, half)                                                                                                 \
    case 2 * (h) + (half): attend_some(q, keys, values, half, head, length, factor, scores, capacity, h, out); break;
    switch (2 * heads + !!half) {
        HEADS(1, 0) HEADS(1, 1) HEADS(2, 0) HEADS(2, 1) HEADS(3, 0) HEADS(3, 1) HEADS(4, 0) HEADS(4, 1)
    }
#undef HEADS
}

/* the keys or values of a layer's head in a slot */
INLINE void *cached(const decoder *d, const view *seen, void *all, int64_t slot, int64_t layer, int64_t kv_head) {
    int64_t at = ((slot * d->layers + layer) * d->kv_heads + kv_head) * seen->capacity * d->head;
    return d->half ? (void *)((bf16 *)all + at) : (void *)((float *)all + at);
}

/* turn this thread's share of the new keys, and put them and their values where they are read from */
static void remember(const decoder *d, const view *seen, const tokens *new, int64_t layer, float *k, const float *v) {
    int64_t from, to, head = d->head;
    share(new->n * d->kv_heads, 1, &from, &to);
    for (int64_t i = from; i < to; i++) {
        int64_t t = i / d->kv_heads, h = i % d->kv_heads, at = new->positions[t];
        float *own = k + i * head;
        rotate(own, seen->cos + at * head, seen->sin + at * head, head);
        void *keys = cached(d, seen, seen->keys, new->slots[t], layer, h);
        void *values = cached(d, seen, seen->values, new->slots[t], layer, h);
        for (int64_t c = 0; c < head; c++) {
            put(keys, (at / 16 * head + c) * 16 + at % 16, d->half, own[c]);
            put(values, at * head + c, d->half, v[i * head + c]);
        }
    }
}

/* q (n, heads, head) → out (n, heads, head), this thread's share; scores: room for (AT_ONCE, capacity) of its own */
AVX512 static void look_back(const decoder *d, const view *seen, const tokens *new, int64_t layer, float *q, float *out,
                             float *scores) {
    int64_t from, to, head = d->head, group = d->heads / d->kv_heads;
    share(new->n * d->heads, 1, &from, &to);
    for (int64_t i = from; i < to;) {
        int64_t t = i / d->heads, h = i % d->heads, at = new->positions[t];
        int64_t together = least(least(group - h % group, to - i), AT_ONCE);
        for (int64_t j = i; j < i + together; j++)
            rotate(q + j * head, seen->cos + at * head, seen->sin + at * head, head);
        attend(q + i * head, cached(d, seen, seen->keys, new->slots[t], layer, h / group),
               cached(d, seen, seen->values, new->slots[t], layer, h / group), d->half, head, at + 1,
               1 / sqrtf((float)head), scores, seen->capacity, together, out + i * head);
        i += together;
    }
}

static inline int64_t whole_lines(int64_t floats) { return up_to(floats, 16); }

/* float32 numbers of room that a call needs: those that the threads share, and those that each has */
static int64_t shared_room(const decoder *d, int64_t n) {
    const layer *one = d->layer;
    return whole_lines(n * d->hidden) + whole_lines(n * one->q.rows) * 2 + whole_lines(n * one->k.rows) * 2 +
           whole_lines(n * one->gate.rows) * 2 + whole_lines(3 * n * d->rank);
}

static int64_t own_room(const decoder *d, int64_t n, int64_t capacity) {
    const layer *one = d->layer;
    const int64_t widest = most(d->hidden, most(one->down.columns, one->o.columns));
    return whole_lines(n * d->hidden) + whole_lines(n) + whole_lines(n * (widest + 63) / 4) + AT_ONCE * capacity;
}

void quire_decode_room(const decoder *d, int64_t n, int64_t capacity, int64_t threads, int64_t *floats) {
    *floats = shared_room(d, n) + threads * own_room(d, n, capacity);
}

/* Read n tokens and give the scores of what follows those from `scored` on: scores (n - scored, vocabulary).
 * Several tokens of one slot come in the order of their positions. */
void quire_decode(const decoder *d, void *keys, void *values, const float *cos, const float *sin, int64_t capacity,
                  const int64_t *ids, const int64_t *positions, const int64_t *slots, int64_t n, int64_t scored,
                  float *room, int64_t threads, float *scores, float eps) {
    const view seen = {keys, values, cos, sin, capacity};
    const tokens new = {ids, positions, slots, n};
    const layer *first = d->layer;
    float *x = room, *q = x + whole_lines(n * d->hidden), *mixed = q + whole_lines(n * first->q.rows);
    float *k = mixed + whole_lines(n * first->q.rows), *v = k + whole_lines(n * first->k.rows);
    float *gate = v + whole_lines(n * first->k.rows), *up = gate + whole_lines(n * first->gate.rows);
    float *reduced = up + whole_lines(n * first->gate.rows), *own_rooms = room + shared_room(d, n);
#pragma omp parallel num_threads((int)threads)
    {
        float *normal = own_rooms + omp_get_thread_num() * own_room(d, n, capacity);
        float *scale = normal + whole_lines(n * d->hidden), *own_scores = scale + whole_lines(n);
        uint8_t *codes = (uint8_t *)(own_scores + AT_ONCE * capacity);
        int64_t from, to;
        input in = {normal, codes, scale, 0};
        share(n * d->hidden, 16, &from, &to);
        for (int64_t i = from; i < to; i++) x[i] = embedded(d, ids[i / d->hidden], i % d->hidden);
#pragma omp barrier
        for (int64_t i = 0; i < d->layers; i++) {
            const layer *l = d->layer + i;
            normalise(x, n, d->hidden, l->norm, eps, normal);
            in.x = normal;
            multiply_all((const matrix *[]){&l->q, &l->k, &l->v}, (float *[]){q, k, v}, 3, &in, n, reduced, d->rank, 0);
            remember(d, &seen, &new, i, k, v);
#pragma omp barrier
            look_back(d, &seen, &new, i, q, mixed, own_scores);
#pragma omp barrier
            in.x = mixed;
            multiply_all((const matrix *[]){&l->o}, (float *[]){x}, 1, &in, n, reduced, d->rank, 1);
            normalise(x, n, d->hidden, l->mlp_norm, eps, normal);
            in.x = normal;
            multiply_all((const matrix *[]){&l->gate, &l->up}, (float *[]){gate, up}, 2, &in, n, reduced, d->rank, 0);
            share(n * l->gate.rows, 16, &from, &to);
            swiglu(gate + from, up + from, to - from);
#pragma omp barrier
            in.x = gate;
            multiply_all((const matrix *[]){&l->down}, (float *[]){x}, 1, &in, n, reduced, d->rank, 1);
        }
        normalise(x + scored * d->hidden, n - scored, d->hidden, d->norm, eps, normal);
        in.x = normal;
        multiply_all((const matrix *[]){&d->scores}, (float *[]){scores}, 1, &in, n - scored, reduced, d->rank, 0);
    }
}
