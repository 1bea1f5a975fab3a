/* Groups for a class: what a grouping costs, kept up to date swap by swap, an annealing over swaps, and all groupings of
 * a tiny class.
 *
 * engine/collaborators/twin.py says the same in Python and is held equal to it, to the last bit. A cost has two parts,
 * hard (how often a hard rule is broken) and soft; costs of columns and numbers are kept by group, since a move touches
 * two groups only. Learners who must stay together move as one unit.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { DISTRIBUTE, SPREAD, CLUSTER, NOT_ALONE, AT_LEAST_ONE };
#define TRIES 8
#define CLOSE 1e-9 /* a mean on the edge of the tolerance is within it */

/* See `Problem` in engine/collaborators/problem.py for what each array holds. */
typedef struct {
    int64_t n, k, low, high, n_units, n_columns, n_numbers, n_friends, has_places;
    const int64_t *unit_ptr;
    const int32_t *unit_member;
    const uint8_t *unit_fixed;
    const int32_t *kind, *n_values;
    const int64_t *value_base;
    const int32_t *code, *fewest, *most;
    const double *column_hard, *column_weight, *column_finer;
    const double *number, *mean, *tolerance, *number_hard, *number_weight, *number_finer;
    const int64_t *pair_ptr;
    const int32_t *pair_to;
    const double *pair_hard, *pair_weight;
    const int64_t *friend_ptr;
    const int32_t *friend_to;
    const int64_t *named_ptr;
    const int32_t *named_to;
    const double *friend_hard, *friend_weight;
    const double *place_hard, *place_weight;
} Problem;

typedef struct {
    double hard, soft, forbidden; /* forbidden: the hard part of pairs and places, which only grows as a grouping fills */
    int32_t *group, *size;        /* -1: in no group yet */
    int32_t *unit_group, *unit_at, *listed, *n_listed; /* which units a group has: listed[g * n_units + at] */
    int32_t *count, *known, *distinct, *single, *same; /* by column and group; same: pairs of one value */
    double *column_hard, *column_soft;
    double *sum, *number_hard, *number_soft;
    int32_t *number_known, *met; /* met: by friends rule and learner, how many of the friends are there */
    int64_t *moving;
} State;

static uint64_t next(uint64_t *seed) /* splitmix64 */
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static int64_t below(uint64_t *seed, int64_t n) { return (int64_t)((next(seed) >> 33) % (uint64_t)n); }

static double uniform(uint64_t *seed) { return (double)(next(seed) >> 11) * 0x1p-53; }

static void *zeros(int64_t n, size_t each) { return calloc((size_t)(n > 0 ? n : 1), each); }

static void state_free(State *s)
{
    void *all[] = {s->group, s->size, s->unit_group, s->unit_at, s->listed, s->n_listed, s->count, s->known, s->distinct,
                   s->single, s->same, s->column_hard, s->column_soft, s->sum, s->number_hard, s->number_soft,
                   s->number_known, s->met, s->moving};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void refresh_column(const Problem *p, State *s, int64_t r, int64_t g)
{
    int64_t at = r * p->k + g;
    int32_t values = p->n_values[r], known = s->known[at], distinct = s->distinct[at], same = s->same[at];
    const int32_t *count = s->count + p->value_base[r] * p->k + g * values;
    int broken = 0;
    double finer = 0;
    switch (p->kind[r]) {
    case DISTRIBUTE:
        broken = distinct < (known < values ? known : values);
        finer = same;
        break;
    case SPREAD:
        for (int32_t v = 0; v < values; v++)
            broken |= count[v] < p->fewest[p->value_base[r] + v] || count[v] > p->most[p->value_base[r] + v];
        finer = same;
        break;
    case CLUSTER:
        broken = distinct > 1;
        finer = (double)known * (known - 1) / 2 - 2.0 * same; /* two values together, less those of one value together */
        break;
    case NOT_ALONE:
        broken = s->single[at] > 0;
        break;
    case AT_LEAST_ONE:
        broken = count[0] == 0 && known > 0;
        finer = count[0] == 0;
        break;
    }
    double hard = broken * p->column_hard[r];
    double soft = broken * p->column_weight[r] + finer * p->column_finer[r];
    s->hard += hard - s->column_hard[at];
    s->soft += soft - s->column_soft[at];
    s->column_hard[at] = hard;
    s->column_soft[at] = soft;
}

static void refresh_number(const Problem *p, State *s, int64_t r, int64_t g)
{
    int64_t at = r * p->k + g;
    double off = s->number_known[at] ? s->sum[at] / s->number_known[at] - p->mean[r] : 0;
    int broken = fabs(off) > p->tolerance[r] + CLOSE;
    double hard = broken * p->number_hard[r];
    double soft = broken * p->number_weight[r] + off * off * p->number_finer[r];
    s->hard += hard - s->number_hard[at];
    s->soft += soft - s->number_soft[at];
    s->number_hard[at] = hard;
    s->number_soft[at] = soft;
}

/* A learner comes into a group (sign 1) or leaves it (-1): what others feel of it. */
static void ties(const Problem *p, State *s, int64_t i, int32_t g, int sign)
{
    for (int64_t e = p->pair_ptr[i]; e < p->pair_ptr[i + 1]; e++)
        if (s->group[p->pair_to[e]] == g) {
            s->hard += sign * p->pair_hard[e];
            s->forbidden += sign * p->pair_hard[e];
            s->soft += sign * p->pair_weight[e];
        }
    if (p->has_places) {
        s->hard += sign * p->place_hard[i * p->k + g];
        s->forbidden += sign * p->place_hard[i * p->k + g];
        s->soft += sign * p->place_weight[i * p->k + g];
    }
    for (int64_t r = 0; r < p->n_friends; r++) {
        int64_t own = r * p->n + i;
        int32_t before = s->met[own];
        int wants = p->friend_ptr[own + 1] > p->friend_ptr[own];
        for (int64_t e = p->friend_ptr[own]; e < p->friend_ptr[own + 1]; e++)
            s->met[own] += sign * (s->group[p->friend_to[e]] == g);
        int turned = wants * ((s->met[own] == 0) - (before == 0));
        for (int64_t e = p->named_ptr[own]; e < p->named_ptr[own + 1]; e++) {
            int32_t j = p->named_to[e];
            if (s->group[j] != g) continue;
            int32_t *met = s->met + r * p->n + j;
            turned -= *met == 0;
            *met += sign;
            turned += *met == 0;
        }
        s->hard += turned * p->friend_hard[r];
        s->soft += turned * p->friend_weight[r];
    }
}

static void tally(const Problem *p, State *s, int64_t r, int64_t i, int32_t g, int sign)
{
    int32_t value = p->code[r * p->n + i];
    if (value < 0) return;
    int64_t at = r * p->k + g;
    int32_t *count = s->count + p->value_base[r] * p->k + (int64_t)g * p->n_values[r] + value;
    s->known[at] += sign;
    if (sign > 0) {
        s->same[at] += *count;
        s->distinct[at] += *count == 0;
        s->single[at] += (*count == 0) - (*count == 1);
        ++*count;
    } else {
        --*count;
        s->same[at] -= *count;
        s->distinct[at] -= *count == 0;
        s->single[at] += (*count == 1) - (*count == 0);
    }
}

static void weigh(const Problem *p, State *s, int64_t r, int64_t i, int32_t g, int sign)
{
    double value = p->number[r * p->n + i];
    if (isnan(value)) return;
    s->sum[r * p->k + g] += sign * value;
    s->number_known[r * p->k + g] += sign;
}

static void unlist(const Problem *p, State *s, int64_t u)
{
    int32_t g = s->unit_group[u], at = s->unit_at[u], last = --s->n_listed[g];
    int32_t other = s->listed[g * p->n_units + last];
    s->listed[g * p->n_units + at] = other;
    s->unit_at[other] = at;
}

static void list(const Problem *p, State *s, int64_t u, int32_t g)
{
    s->unit_group[u] = g;
    s->unit_at[u] = s->n_listed[g];
    s->listed[g * p->n_units + s->n_listed[g]++] = (int32_t)u;
}

/* Units go from `from` to `to`, where -1 is nowhere; columns and numbers are to be refreshed after. */
static void carry(const Problem *p, State *s, int64_t u, int32_t from, int32_t to)
{
    for (int64_t m = p->unit_ptr[u]; m < p->unit_ptr[u + 1]; m++) {
        int32_t i = p->unit_member[m];
        s->group[i] = -1;
        if (from >= 0) {
            ties(p, s, i, from, -1);
            s->size[from]--;
        }
        if (to >= 0) {
            ties(p, s, i, to, 1);
            s->size[to]++;
        }
        s->group[i] = to;
    }
    if (from >= 0) unlist(p, s, u);
    if (to >= 0) list(p, s, u, to);
}

static void count_unit(const Problem *p, State *s, int64_t u, int32_t g, int sign)
{
    for (int64_t m = p->unit_ptr[u]; m < p->unit_ptr[u + 1]; m++) {
        for (int64_t r = 0; r < p->n_columns; r++) tally(p, s, r, p->unit_member[m], g, sign);
        for (int64_t r = 0; r < p->n_numbers; r++) weigh(p, s, r, p->unit_member[m], g, sign);
    }
}

static void refresh(const Problem *p, State *s, int32_t g)
{
    for (int64_t r = 0; r < p->n_columns; r++) refresh_column(p, s, r, g);
    for (int64_t r = 0; r < p->n_numbers; r++) refresh_number(p, s, r, g);
}

/* The first `n_go` of `moving` leave a for b, the next `n_come` come from b to a. */
static void exchange(const Problem *p, State *s, int32_t a, int32_t b, int64_t n_go, int64_t n_come)
{
    const int64_t *moving = s->moving;
    for (int64_t u = 0; u < n_go; u++) carry(p, s, moving[u], a, b);
    for (int64_t u = n_go; u < n_go + n_come; u++) carry(p, s, moving[u], b, a);
    int32_t i = p->unit_member[p->unit_ptr[moving[0]]], j = n_come ? p->unit_member[p->unit_ptr[moving[n_go]]] : -1;
    int one_for_one = n_go == 1 && n_come == 1 && p->unit_ptr[moving[0] + 1] - p->unit_ptr[moving[0]] == 1 &&
                      p->unit_ptr[moving[1] + 1] - p->unit_ptr[moving[1]] == 1;
    for (int64_t r = 0; r < p->n_columns; r++) {
        if (one_for_one && p->code[r * p->n + i] == p->code[r * p->n + j]) continue;
        for (int64_t u = 0; u < n_go + n_come; u++)
            for (int64_t m = p->unit_ptr[moving[u]]; m < p->unit_ptr[moving[u] + 1]; m++) {
                tally(p, s, r, p->unit_member[m], u < n_go ? a : b, -1);
                tally(p, s, r, p->unit_member[m], u < n_go ? b : a, 1);
            }
        refresh_column(p, s, r, a);
        refresh_column(p, s, r, b);
    }
    for (int64_t r = 0; r < p->n_numbers; r++) {
        for (int64_t u = 0; u < n_go + n_come; u++)
            for (int64_t m = p->unit_ptr[moving[u]]; m < p->unit_ptr[moving[u] + 1]; m++) {
                weigh(p, s, r, p->unit_member[m], u < n_go ? a : b, -1);
                weigh(p, s, r, p->unit_member[m], u < n_go ? b : a, 1);
            }
        refresh_number(p, s, r, a);
        refresh_number(p, s, r, b);
    }
}

/* Nobody is in a group yet: friends are missed, nothing else is. */
static int state_make(const Problem *p, State *s)
{
    int64_t n = p->n, k = p->k, n_counts = p->n_columns ? p->value_base[p->n_columns] * k : 0;
    memset(s, 0, sizeof *s);
    s->group = zeros(n, 4); s->size = zeros(k, 4);
    s->unit_group = zeros(p->n_units, 4); s->unit_at = zeros(p->n_units, 4);
    s->listed = zeros(k * p->n_units, 4); s->n_listed = zeros(k, 4);
    s->count = zeros(n_counts, 4); s->known = zeros(p->n_columns * k, 4); s->distinct = zeros(p->n_columns * k, 4);
    s->single = zeros(p->n_columns * k, 4); s->same = zeros(p->n_columns * k, 4);
    s->column_hard = zeros(p->n_columns * k, 8); s->column_soft = zeros(p->n_columns * k, 8);
    s->sum = zeros(p->n_numbers * k, 8); s->number_hard = zeros(p->n_numbers * k, 8);
    s->number_soft = zeros(p->n_numbers * k, 8); s->number_known = zeros(p->n_numbers * k, 4);
    s->met = zeros(p->n_friends * n, 4); s->moving = zeros(p->n_units, 8);
    if (!s->group || !s->size || !s->unit_group || !s->unit_at || !s->listed || !s->n_listed || !s->count || !s->known ||
        !s->distinct || !s->single || !s->same || !s->column_hard || !s->column_soft || !s->sum || !s->number_hard ||
        !s->number_soft || !s->number_known || !s->met || !s->moving) {
        state_free(s);
        return -1;
    }
    for (int64_t i = 0; i < n; i++) s->group[i] = -1;
    for (int64_t r = 0; r < p->n_friends; r++)
        for (int64_t i = 0; i < n; i++)
            if (p->friend_ptr[r * n + i + 1] > p->friend_ptr[r * n + i]) {
                s->hard += p->friend_hard[r];
                s->soft += p->friend_weight[r];
            }
    for (int32_t g = 0; g < k; g++) refresh(p, s, g);
    return 0;
}

/* Choose what goes from a to b and what comes back; 0 where sizes would not hold. */
static int choose(const Problem *p, State *s, uint64_t *seed, int32_t *a, int32_t *b, int64_t *n_go, int64_t *n_come)
{
    int64_t u = below(seed, p->n_units), size_u = p->unit_ptr[u + 1] - p->unit_ptr[u];
    if (p->unit_fixed[u]) return 0;
    *a = s->unit_group[u];
    if (p->low < p->high && below(seed, 4) == 0) {
        *b = (int32_t)below(seed, p->k);
        s->moving[0] = u;
        *n_go = 1;
        *n_come = 0;
        return *b != *a && s->size[*a] - size_u >= p->low && s->size[*b] + size_u <= p->high;
    }
    int64_t v = below(seed, p->n_units), size_v = p->unit_ptr[v + 1] - p->unit_ptr[v];
    *b = s->unit_group[v];
    if (p->unit_fixed[v] || *b == *a) return 0;
    if (size_v > size_u) { /* the larger goes, several may come back for it */
        int64_t t = u; u = v; v = t;
        t = size_u; size_u = size_v; size_v = t;
        int32_t c = *a; *a = *b; *b = c;
    }
    s->moving[0] = u;
    s->moving[1] = v;
    *n_go = 1;
    *n_come = 1;
    for (int t = 0; size_v < size_u && t < TRIES; t++) {
        int64_t w = s->listed[*b * p->n_units + below(seed, s->n_listed[*b])];
        int64_t size_w = p->unit_ptr[w + 1] - p->unit_ptr[w];
        int taken = p->unit_fixed[w] || size_v + size_w > size_u;
        for (int64_t m = 1; m <= *n_come; m++) taken |= s->moving[m] == w;
        if (taken) continue;
        s->moving[1 + (*n_come)++] = w;
        size_v += size_w;
    }
    int64_t less = size_u - size_v, left = s->size[*a] - less, right = s->size[*b] + less;
    return less == 0 || (left >= p->low && left <= p->high && right >= p->low && right <= p->high);
}

/* Anneal from the grouping in `group`, which keeps sizes and units; the best one met is left there, its cost in `cost`.
 * Temperatures fall from `hot` to `cold`; a broken hard rule counts `penalty`; with `until_kept` the first grouping that
 * breaks none ends it. -1 where there is no memory. */
int groups_anneal(const Problem *p, int32_t *group, uint64_t seed, int64_t steps, double hot, double cold, double penalty,
                  int until_kept, double *cost)
{
    State s;
    if (state_make(p, &s)) return -1;
    for (int64_t u = 0; u < p->n_units; u++) {
        int32_t g = group[p->unit_member[p->unit_ptr[u]]];
        carry(p, &s, u, -1, g);
        count_unit(p, &s, u, g, 1);
    }
    for (int32_t g = 0; g < p->k; g++) refresh(p, &s, g);
    double best_hard = s.hard, best_soft = s.soft, warmth = hot, cooling = pow(cold / hot, 1.0 / (double)(steps > 1 ? steps : 1));
    for (int64_t step = 0; step < steps && !(until_kept && best_hard < 0.5); step++, warmth *= cooling) {
        int32_t a, b;
        int64_t n_go, n_come;
        if (!choose(p, &s, &seed, &a, &b, &n_go, &n_come)) continue;
        double hard = s.hard, soft = s.soft;
        exchange(p, &s, a, b, n_go, n_come);
        double worse = (s.hard - hard) * penalty + s.soft - soft;
        if (worse > 0 && uniform(&seed) >= exp(-worse / warmth)) {
            exchange(p, &s, b, a, n_go, n_come);
            s.hard = hard;
            s.soft = soft;
        } else if (s.hard < best_hard - 0.5 || (s.hard < best_hard + 0.5 && s.soft < best_soft - CLOSE)) {
            best_hard = s.hard;
            best_soft = s.soft;
            memcpy(group, s.group, (size_t)p->n * 4);
        }
    }
    cost[0] = best_hard;
    cost[1] = best_soft;
    state_free(&s);
    return 0;
}

typedef struct {
    const Problem *p;
    State *s;
    int32_t *best;
    double best_soft;
    int64_t left;   /* how many more places may be tried */
    int alike;      /* groups differ in nothing but their number */
    int found;
} Search;

static void fill(Search *q, int64_t u, int64_t opened, int64_t unplaced)
{
    const Problem *p = q->p;
    State *s = q->s;
    if (u == p->n_units) {
        if (s->hard < 0.5 && (!q->found || s->soft < q->best_soft - CLOSE)) {
            q->found = 1;
            q->best_soft = s->soft;
            memcpy(q->best, s->group, (size_t)p->n * 4);
        }
        return;
    }
    int64_t size = p->unit_ptr[u + 1] - p->unit_ptr[u];
    int64_t last = q->alike && opened < p->k ? opened : p->k - 1;
    for (int32_t g = 0; g <= last && q->left > 0; g++) {
        q->left--;
        if (s->size[g] + size > p->high) continue;
        double hard = s->hard, soft = s->soft, forbidden = s->forbidden;
        carry(p, s, u, -1, g);
        count_unit(p, s, u, g, 1);
        refresh(p, s, g);
        int64_t lacking = 0;
        for (int32_t h = 0; h < p->k; h++) lacking += s->size[h] < p->low ? p->low - s->size[h] : 0;
        if (s->forbidden < 0.5 && lacking <= unplaced - size) fill(q, u + 1, g == opened ? opened + 1 : opened, unplaced - size);
        carry(p, s, u, g, -1);
        count_unit(p, s, u, g, -1);
        refresh(p, s, g);
        s->hard = hard;
        s->soft = soft;
        s->forbidden = forbidden;
    }
}

/* Every grouping that keeps the sizes, the best one that breaks no hard rule left in `group`: 1 found, 0 there is none,
 * 2 given up after `limit` places tried (a grouping may be found, but none is proved the best), -1 no memory. */
int groups_enumerate(const Problem *p, int32_t *group, int64_t limit, int alike, double *cost)
{
    State s;
    if (state_make(p, &s)) return -1;
    Search q = {p, &s, group, 0, limit, alike, 0};
    fill(&q, 0, 0, p->n);
    cost[0] = q.found ? 0 : 1;
    cost[1] = q.best_soft;
    state_free(&s);
    return q.left <= 0 ? 2 : q.found;
}

/* What one grouping costs. */
int groups_cost(const Problem *p, const int32_t *group, double *cost)
{
    State s;
    if (state_make(p, &s)) return -1;
    for (int64_t u = 0; u < p->n_units; u++) {
        int32_t g = group[p->unit_member[p->unit_ptr[u]]];
        carry(p, &s, u, -1, g);
        count_unit(p, &s, u, g, 1);
    }
    for (int32_t g = 0; g < p->k; g++) refresh(p, &s, g);
    cost[0] = s.hard;
    cost[1] = s.soft;
    state_free(&s);
    return 0;
}
