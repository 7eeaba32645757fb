/* How threads share a product of rows with weights that do not change, for numbers of two bytes or of one.
 *
 * Blocks: a tile of 6 rows × 64 outputs stays in registers over the sum; a panel of 64 outputs, brought into the order
 * that the processor's instruction wants (groups of terms, four bytes of each output side by side), stays in the second
 * cache while the rows pass it by.  The weights are read where they lie, in either direction.  Six rows go together in
 * the first cache also where they lie a multiple of 4096 bytes apart: twelve would drive each other out.
 *
 * A turn is a panel times a part of the rows; those of one panel follow one another.  Where the sum is divided into
 * blocks of terms, a thread takes several turns and does them block by block, so that the rows and the weights of a
 * block, and the places in memory where they are found, are still at hand for the next turn.
 *
 * While a tile is summed, the lines of memory that come next are fetched: rows of x, the places of the result, and,
 * spread over the whole turn, the weights of the next panel.
 */
#ifndef QUIRE_TURNS_H
#define QUIRE_TURNS_H

#include "kernels.h"

/* rows; outputs; vectors; groups of terms done together; bytes of a group, of a panel's group and of a line */
enum { TILE = 6, PANEL = 64, PARTS = 4, CHUNK = 16, GROUP = 4, GROUPS = PANEL * GROUP, LINE = 64 };
/* how the work is divided, see `planned`: groups of a block; turns for each thread; tiles of a turn; sums held */
enum { BLOCK = 1408, TURNS = 16, LEAST_TILES = 16, MOST_TILES = 171, SUMS = 640 * 1024 };

/* a part of a matrix, to be fetched line by line */
typedef struct {
    const char *at, *row;
    int64_t length, stride, rows; /* bytes, bytes, how many are left */
} Walk;

INLINE void go_on(Walk *w) {
    _mm_prefetch(w->at, _MM_HINT_T1);
    w->at += LINE;
    if (w->at < w->row + w->length) return;
    w->rows--;
    w->row += w->stride;
    w->at = w->row;
}

typedef struct Work Work;
typedef struct Job Job;

/* x (rows, terms) times weights (outputs, terms), or (terms, outputs) where `by_terms` is not 0 */
struct Work {
    const char *x, *w;
    int64_t rows, outputs, terms, x_stride, w_stride; /* the strides are those of rows, in bytes */
    int64_t by_terms, bytes, w_bytes;                 /* of a number in x and in the panel; of one in the weights */
    /* brings terms k0 to k1 of the outputs from n0 on into the panel, with 0 for what is not there */
    void (*pack)(const Work *, int64_t n0, int64_t k0, int64_t k1, char *panel);
    /* `height` rows from `row` on times the panel; `soon` are the rows that come next */
    void (*some_rows)(int64_t height, Job *, int64_t row, const char *soon);
    const void *product; /* what else the two must know */
};

/* what tiles are computed from and for */
struct Job {
    const Work *work;
    const char *panel;
    void *sums;                /* (rows, PANEL) numbers of four bytes, where the terms are divided */
    int64_t start, n0, k0, k1; /* the first row, output and term, and the end of the terms */
    int64_t is_first, is_last; /* of the blocks of terms */
    Walk next;                 /* the weights of the next panel */
    int64_t at_once;           /* lines of it with every chunk */
};

typedef struct {
    const Work *work;
    int64_t parts, tiles, turns; /* of a panel; of a part; in all */
    int64_t blocks, terms;       /* of the sum; of a block */
    int64_t together;            /* turns that a thread takes at a time */
    int64_t threads, *taken;     /* (threads) of each one's share */
} Plan;

static inline Plan planned(const Work *w, int64_t threads) {
    const int64_t panels = over(w->outputs, PANEL), tiles = over(w->rows, TILE);
    /* several turns for each thread, but none so small that a panel is not worth its order */
    const int64_t wanted = threads > 1 ? over(TURNS * threads, panels) : 1;
    const int64_t parts = most(least(wanted, over(tiles, LEAST_TILES)), most(over(tiles, MOST_TILES), 1));
    const int64_t height = most(over(tiles, parts), 1), turns = panels * over(tiles, height);
    const int64_t groups = most(over(w->terms * w->bytes, GROUP), 1), blocks = over(groups, BLOCK);
    const int64_t terms = up_to(over(groups, blocks), CHUNK) * GROUP / w->bytes;
    const int64_t together = blocks == 1 ? 1 : least(over(turns, threads), over(SUMS, height * TILE * PANEL));
    return (Plan){w, over(tiles, height), height, turns, blocks, terms, together, threads, NULL};
}

/* a thread's place in the work: a block of terms of one turn, of those from `first` up to `end` */
typedef struct {
    int64_t first, end, turn, block;
} Place;

/* the next turns for a thread: of its own share, then of what others have left */
static inline Place take(const Plan *plan, int64_t own) {
    for (int64_t i = 0; i < plan->threads; i++) {
        const int64_t who = (own + i) % plan->threads, end = plan->turns * (who + 1) / plan->threads;
        const int64_t before = __atomic_fetch_add(plan->taken + who, plan->together, __ATOMIC_RELAXED);
        const int64_t first = plan->turns * who / plan->threads + before;
        if (first < end) return (Place){first, least(end, first + plan->together), first, 0};
    }
    return (Place){plan->turns, plan->turns, plan->turns, 0};
}

static inline Place following(const Plan *plan, Place at, int64_t own) {
    if (at.turn + 1 < at.end) return (Place){at.first, at.end, at.turn + 1, at.block};
    if (at.block + 1 < plan->blocks) return (Place){at.first, at.end, at.first, at.block + 1};
    return take(plan, own);
}

static inline int64_t same_panel(const Plan *plan, Place a, Place b) {
    return a.block == b.block && a.turn / plan->parts == b.turn / plan->parts;
}

/* the weights for a place, to be fetched */
static inline Walk weights_of(const Plan *plan, Place at) {
    const Work *w = plan->work;
    const int64_t n = at.turn / plan->parts * PANEL, k = at.block * plan->terms;
    const int64_t outputs = least(PANEL, w->outputs - n), terms = least(plan->terms, w->terms - k);
    const char *from = w->w + (w->by_terms ? k * w->w_stride + n * w->w_bytes : n * w->w_stride + k * w->w_bytes);
    return (Walk){from, from, (w->by_terms ? outputs : terms) * w->w_bytes, w->w_stride, w->by_terms ? terms : outputs};
}

/* what is to be done at one place; the panel is that of `before`, and `next` comes after */
static inline void compute(const Plan *plan, Place before, Place at, Place next, char *panel, char *sums) {
    const Work *w = plan->work;
    const int64_t height = plan->tiles * TILE, row = at.turn % plan->parts * height, end = least(w->rows, row + height);
    const int64_t n = at.turn / plan->parts * PANEL, k = at.block * plan->terms, k1 = least(w->terms, k + plan->terms);
    if (!same_panel(plan, before, at)) w->pack(w, n, k, k1, panel);
    sums += (at.turn - at.first) * height * GROUPS;
    Job job = {w, panel, sums, row, n, k, k1, at.block == 0, at.block == plan->blocks - 1, {0}, 0};
    if (next.turn < plan->turns && !same_panel(plan, at, next)) {
        job.next = weights_of(plan, next);
        const int64_t chunks = (k1 - k) * w->bytes / (CHUNK * GROUP);
        const int64_t lines = job.next.rows * over(job.next.length, LINE);
        job.at_once = over(lines, most(1, over(end - row, TILE) * chunks));
    }
    const char *first = w->x + next.turn % plan->parts * height * w->x_stride + next.block * plan->terms * w->bytes;
    for (int64_t r = row; r < end; r += TILE) {
        const char *soon = r + TILE < end ? w->x + (r + TILE) * w->x_stride + k * w->bytes : first;
        w->some_rows(least(TILE, end - r), &job, r, soon);
    }
}

/* A tile's sums += a group of terms from the panel, of which a row has so many bytes; ADD(sums, weights, terms) is the
 * instruction for it.  For the bodies of `tile`, which know the rest by these names. */
#define ADD_GROUP(ADD, bytes)                                                                                         \
    {                                                                                                                 \
        __m512i w[PARTS];                                                                                             \
        UNROLL for (int v = 0; v < PARTS; v++) w[v] = _mm512_load_si512(panel + 64 * v);                              \
        UNROLL for (int r = 0; r < height; r++) {                                                                     \
            int32_t terms = 0;                                                                                        \
            memcpy(&terms, half[r / 3] + (r % 3) * stride, bytes);                                                    \
            const __m512i a = _mm512_set1_epi32(terms);                                                               \
            UNROLL for (int v = 0; v < PARTS; v++) sum[r][v] = ADD(sum[r][v], w[v], a);                               \
        }                                                                                                             \
        panel += GROUPS;                                                                                              \
        half[0] += GROUP;                                                                                             \
        half[1] += GROUP;                                                                                             \
    }

/* Work's some_rows: `tile`, in which the height is a constant */
#define SOME_ROWS(TARGET)                                                                                             \
    TARGET static void some_rows(int64_t height, Job *job, int64_t row, const char *soon) {                           \
        switch (height) {                                                                                             \
        case 1: tile(1, job, row, soon); break;                                                                       \
        case 2: tile(2, job, row, soon); break;                                                                       \
        case 3: tile(3, job, row, soon); break;                                                                       \
        case 4: tile(4, job, row, soon); break;                                                                       \
        case 5: tile(5, job, row, soon); break;                                                                       \
        default: tile(TILE, job, row, soon);                                                                          \
        }                                                                                                             \
    }

/* the whole product; returns 1 where no memory is found, otherwise 0 */
static inline int multiplied(const Work *work) {
    Plan plan = planned(work, omp_get_max_threads());
    const int64_t panel = plan.terms * work->bytes * PANEL, part = plan.tiles * TILE * GROUPS;
    const int64_t each = panel + (plan.blocks > 1 ? plan.together * part : 0);
    const int64_t counters = up_to(plan.threads * 8, LINE);
    char *memory = room_for((size_t)(counters + plan.threads * each));
    if (memory == NULL) return 1;
    plan.taken = memset(memory, 0, (size_t)counters);
#pragma omp parallel
    {
        const int64_t own = omp_get_thread_num();
        char *mine = memory + counters + own * each;
        Place before = {-1, -1, -1, -1}, at = take(&plan, own);
        while (at.turn < plan.turns) {
            const Place next = following(&plan, at, own);
            compute(&plan, before, at, next, mine, mine + panel);
            before = at;
            at = next;
        }
    }
    free(memory);
    return 0;
}

#endif
