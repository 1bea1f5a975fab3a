/* The learner's state: its update from one event, the features read from it, and the walk of trees over them.
 *
 * The same function folds one event online and a million in training, so both give the same bits; engine/learner/twin.py
 * says the same in Python and is held equal to it. Compiled without contraction of a * b + c, which would round
 * otherwise on machines that have it.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define N_TIME 7  /* time constants of the decays by minutes */
#define N_STEP 5  /* and of those by the learner's own events */
#define N_BLOCK 45
#define N_ROW 49
#define N_FEATURES (3 * N_BLOCK + N_ROW)
#define NEVER -1e9
/* Where the processor adds eight numbers at a time, compiled for that too; each sum stays what it is. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3")))
#else
#define WIDE
#endif
#define N_LEAN 8 /* what a learner's own answers may lean on, beside the abilities */

/* What is known of a learner on one skill or item, 256 bytes. Sums of outcomes are of y, of misses 1 - y. */
typedef struct {
    uint64_t key;
    double last_t, last_right_t;  /* minutes since 1970 */
    int32_t last_i;               /* the learner's event number, -1 before any */
    uint32_t recent;              /* the last outcomes as bits, the newest lowest */
    float n, wins, seen, res_sum, info;
    float mean_fast, mean_mid, mean_slow, res_fast, res_slow, ability, streak;
    float gap_right, gap_wrong, last_gap;
    float rt_last, rt_mean, rt_n, rt_right;
    float last_y;
    float right_t[N_TIME], wrong_t[N_TIME], seen_t[N_TIME];
    float right_i[N_STEP], wrong_i[N_STEP], seen_i[N_STEP];
} Block;

/* What is known of the learner as a whole. */
typedef struct {
    Block block;
    double prev_t, prev_minutes, session_t, session_n, session_k, run_n, run_wins, run_rt;
    double prev_rt, prev_res, prev2_res, prev_y, prev2_y, prev_shown;
    double rt_fast, rt_mid, rt_slow, rt_self, rt_var, rt_n, n_new;
    double lean[N_LEAN], lean_var[N_LEAN * N_LEAN];
    int64_t n_events;
    uint64_t prev_item;
} Self;

/* What training found of items and skills; arrays (n_folds, n), row by fold. */
typedef struct {
    double mean, b, m;  /* mean outcome, its logit, mean log seconds */
    int64_t n_items, n_skills;
    const double *item_b, *item_n, *item_m, *item_regime, *skill_b, *skill_n, *skill_m, *skill_regime;
    const double *tau_t, *tau_i, *power_t, *power_i, *steps;
} Statics;

typedef struct {
    const double *t, *y, *seconds;
    const uint64_t *item_key;
    const int32_t *item_row;
    const int64_t *skill_ptr;
    const uint64_t *skill_key;
    const int32_t *skill_row;
} Rows;

/* What the fit of the statics needs of each row, read before its update. */
typedef struct {
    double *offset, *weight, *rt_offset;
    int8_t *item_regime, *skill_regime;
} Traces;

typedef struct {
    int32_t *slots;
    uint64_t mask;
} Index;

enum { UPDATE = 1, DECAYS = 2 };

static double larger(double a, double b) { return a > b ? a : b; }
static double smaller(double a, double b) { return a < b ? a : b; }
static double sigmoid(double z) { return 1.0 / (1.0 + exp(-z)); }

static void reset(Block *s, uint64_t key, double mean) {
    memset(s, 0, sizeof *s);
    s->key = key;
    s->mean_fast = s->mean_mid = s->mean_slow = (float)mean;
    s->last_i = -1;
    s->last_y = -1.0f;
    s->gap_right = -3.0f;
    s->gap_wrong = 16.0f;
    s->last_gap = -4.0f;
    s->last_right_t = NEVER;
}

static const double LEAN_PRIOR[N_LEAN] = {0.3, 0.3, 0.3, 0.1, 0.2, 0.1, 0.15, 0.1};
static const double LEAN_DRIFT = 0.002;

static void start(Self *self, double mean) {
    memset(self, 0, sizeof *self);
    reset(&self->block, 0, mean);
    self->prev_y = self->prev2_y = -1.0;
    self->rt_var = 0.25;
    for (int k = 0; k < N_LEAN; k++) self->lean_var[k * N_LEAN + k] = LEAN_PRIOR[k];
}

static int place(Index *x, int64_t capacity) {
    uint64_t size = 16;
    while (size < 2 * (uint64_t)capacity) size *= 2;
    x->slots = malloc(size * sizeof *x->slots);
    if (!x->slots) return 0;
    memset(x->slots, 0xff, size * sizeof *x->slots);
    x->mask = size - 1;
    return 1;
}

/* The slot of a key: its block's number, or -1 where it may be put. */
static int32_t *slot(const Index *x, const Block *blocks, uint64_t key) {
    uint64_t at = (key ^ (key >> 29)) & x->mask;
    while (x->slots[at] >= 0 && blocks[x->slots[at]].key != key) at = (at + 1) & x->mask;
    return &x->slots[at];
}

static void decay(Block *s, const Statics *m, double i, double t) {
    if (s->last_i < 0) return;
    double steps = i - s->last_i, minutes = t - s->last_t;
    if (steps > 0)
        for (int k = 0; k < N_STEP; k++) {
            double f = exp(-steps / m->tau_i[k]);
            s->right_i[k] = (float)(s->right_i[k] * f);
            s->wrong_i[k] = (float)(s->wrong_i[k] * f);
            s->seen_i[k] = (float)(s->seen_i[k] * f);
        }
    if (minutes > 0)
        for (int k = 0; k < N_TIME; k++) {
            double f = exp(-minutes / m->tau_t[k]);
            s->right_t[k] = (float)(s->right_t[k] * f);
            s->wrong_t[k] = (float)(s->wrong_t[k] * f);
            s->seen_t[k] = (float)(s->seen_t[k] * f);
        }
}

/* The last outcomes as one number in [0, 2): the newest counts most, a closing 1 tells how many there are. */
static double pattern(const Block *s) {
    int n = s->n < 12 ? (int)s->n : 12;
    double digit = 1.0, sum = 0.0;
    for (int k = 0; k < n; k++, digit *= 0.5)
        if (s->recent >> k & 1) sum += digit;
    return sum + digit;
}

static void weigh(const float *x, const double *weights, int n, int n_powers, double *out) {
    for (int p = 0; p < n_powers; p++) {
        double sum = 0.0;
        for (int k = 0; k < n; k++) sum += weights[p * n + k] * x[k];
        out[p] = sum;
    }
}

/* N_BLOCK numbers; the names stand in engine/learner/features.py. */
static void describe(const Block *s, const Statics *m, double i, double t, double *o) {
    double n = s->n, met = s->last_i >= 0;
    double gap = met ? log(0.05 + larger(t - s->last_t, 0.0)) : 16.0;
    double right[3], wrong[3], seen[3], right_i[2], wrong_i[2], seen_i[2];
    weigh(s->right_t, m->power_t, N_TIME, 3, right);
    weigh(s->wrong_t, m->power_t, N_TIME, 3, wrong);
    weigh(s->seen_t, m->power_t, N_TIME, 3, seen);
    weigh(s->right_i, m->power_i, N_STEP, 2, right_i);
    weigh(s->wrong_i, m->power_i, N_STEP, 2, wrong_i);
    weigh(s->seen_i, m->power_i, N_STEP, 2, seen_i);
    o[0] = log1p(n);
    o[1] = log1p(s->wins);
    o[2] = log1p(larger(n - s->wins, 0.0));
    o[3] = log1p(s->seen);
    o[4] = (s->wins + 2.0 * m->mean) / (n + 2.0);
    o[5] = s->res_sum / (n + 2.0);
    o[6] = s->mean_fast;
    o[7] = s->mean_mid;
    o[8] = s->mean_slow;
    o[9] = s->res_fast;
    o[10] = s->res_slow;
    o[11] = s->ability;
    o[12] = pattern(s);
    o[13] = s->streak;
    o[14] = met ? log1p(i - s->last_i) : 12.0;
    o[15] = gap;
    o[16] = s->last_right_t > NEVER ? log(0.05 + larger(t - s->last_right_t, 0.0)) : 16.0;
    o[17] = log(0.02 + right[0]);
    o[18] = log(0.003 + right[1]);
    o[19] = log(0.0005 + right[2]);
    o[20] = log(0.02 + wrong[0]);
    o[21] = log(0.003 + wrong[1]);
    o[22] = log(0.0005 + wrong[2]);
    o[23] = log(0.02 + seen[0]);
    o[24] = log(0.0005 + seen[2]);
    o[25] = log((right[0] + 0.1) / (wrong[0] + 0.1));
    o[26] = log((right[2] + 0.003) / (wrong[2] + 0.003));
    o[27] = log(0.02 + right_i[0]);
    o[28] = log(0.002 + right_i[1]);
    o[29] = log(0.02 + wrong_i[0]);
    o[30] = log(0.002 + wrong_i[1]);
    o[31] = log(0.02 + seen_i[0]);
    o[32] = log((right_i[0] + 0.1) / (wrong_i[0] + 0.1));
    o[33] = s->rt_last;
    o[34] = s->rt_mean;
    o[35] = s->rt_right;
    o[36] = log1p(s->rt_n);
    o[37] = s->last_y;
    o[38] = s->gap_right;
    o[39] = s->gap_wrong;
    o[40] = s->last_gap;
    o[41] = (met ? gap : 0.0) - s->gap_right;
    o[42] = (met ? gap : 0.0) - s->gap_wrong;
    o[43] = s->res_sum / (s->info + 1.0);
    o[44] = s->info;
}

/* One event counted: y NaN for an exposure, rt NaN without a response time. a: step sizes of the means. */
static void count(Block *s, double i, double t, double y, double p, double rt, const double *step, const double *a) {
    double gap = s->last_i >= 0 ? log(0.05 + larger(t - s->last_t, 0.0)) : -4.0;
    int right = y >= 0.5;
    if (y == y) {
        double res = y - p;
        s->info = (float)(s->info + p * (1.0 - p));
        if (s->last_i >= 0) {
            if (right) s->gap_right = (float)larger(s->gap_right, gap);
            else s->gap_wrong = (float)smaller(s->gap_wrong, gap);
        }
        s->n += 1.0f;
        s->wins = (float)(s->wins + y);
        s->res_sum = (float)(s->res_sum + res);
        s->mean_fast = (float)(s->mean_fast + a[0] * (y - s->mean_fast));
        s->mean_mid = (float)(s->mean_mid + a[1] * (y - s->mean_mid));
        s->mean_slow = (float)(s->mean_slow + a[2] * (y - s->mean_slow));
        s->res_fast = (float)(s->res_fast + a[3] * (res - s->res_fast));
        s->res_slow = (float)(s->res_slow + a[4] * (res - s->res_slow));
        s->ability = (float)(s->ability + larger(step[0] / (1.0 + step[1] * s->n), step[2]) * res);
        s->recent = s->recent << 1 | (uint32_t)right;
        s->streak = right ? (s->streak > 0 ? s->streak + 1.0f : 1.0f) : (s->streak < 0 ? s->streak - 1.0f : -1.0f);
        for (int k = 0; k < N_TIME; k++) {
            s->right_t[k] = (float)(s->right_t[k] + y);
            s->wrong_t[k] = (float)(s->wrong_t[k] + (1.0 - y));
        }
        for (int k = 0; k < N_STEP; k++) {
            s->right_i[k] = (float)(s->right_i[k] + y);
            s->wrong_i[k] = (float)(s->wrong_i[k] + (1.0 - y));
        }
        if (right) s->last_right_t = t;
        s->last_y = (float)right;
    } else {
        s->seen += 1.0f;
        for (int k = 0; k < N_TIME; k++) s->seen_t[k] += 1.0f;
        for (int k = 0; k < N_STEP; k++) s->seen_i[k] += 1.0f;
        s->last_y = 0.5f;
    }
    if (rt == rt) {
        s->rt_n += 1.0f;
        s->rt_last = (float)rt;
        s->rt_mean = (float)(s->rt_mean + larger(0.2, 1.0 / (s->rt_n + 1.0)) * (rt - s->rt_mean));
        if (right) s->rt_right = (float)rt;
    }
    s->last_gap = (float)gap;
    s->last_i = (int32_t)i;
    s->last_t = t;
}

/* 0 never met, 1 last right, 2 last wrong. */
static int regime(const Block *s) { return s->n > 0 ? (s->streak > 0 ? 1 : 2) : 0; }

static const double LEARNER_MEANS[5] = {0.3, 0.1, 0.02, 0.1, 0.02};
static const double SKILL_MEANS[5] = {0.6, 0.3, 0.1, 0.3, 0.05};
static const double ITEM_MEANS[5] = {0.6, 0.3, 0.1, 0.4, 0.1};

/* The moment comes: sessions end after an hour without an event, runs with any time between two events. */
static double advance(Self *self, double *t) {
    int first = self->n_events == 0;
    if (!(*t == *t)) *t = first ? 0.0 : self->prev_t + 0.5;
    double gap = first ? 0.0 : larger(*t - self->prev_t, 0.0);
    if (first) self->prev_t = self->session_t = *t;
    if (*t < self->prev_t) *t = self->prev_t;
    if (gap > 60.0) {
        self->session_n = 0.0;
        self->session_t = *t;
        self->session_k += 1.0;
    }
    if (gap > 0.0 || first) self->run_n = self->run_wins = self->run_rt = 0.0;
    return gap;
}

typedef struct {
    Block *item, *rarest, **skills;
    const int32_t *skill_rows;
    int64_t n_skills, fold;
    int32_t item_row;
    double b, b_skills, b_item, m, n_rarest, ability, regime_item, regime_skill, regimes[3], same;
    double logit, lean[N_LEAN], leaning, lean_var;
} Asked;

static double at(const double *a, int64_t fold, int64_t n, int64_t row) { return row < 0 ? 0.0 : a[fold * n + row]; }

/* Difficulty, usual time and effects of the regimes for one row, backed off from item to skills to the mean. */
static void ask(Asked *q, const Statics *m, const Self *self) {
    double d = 0, u = 0, th = 0, same = 0, r = 0, fewest = 1e18;
    q->rarest = NULL;
    for (int64_t k = 0; k < q->n_skills; k++) {
        int32_t row = q->skill_rows[k];
        double n = at(m->skill_n, q->fold, m->n_skills, row);
        const Block *s = q->skills[k];
        d += at(m->skill_b, q->fold, m->n_skills, row);
        u += at(m->skill_m, q->fold, m->n_skills, row);
        r += row < 0 ? 0.0 : m->skill_regime[(q->fold * m->n_skills + row) * 3 + regime(s)];
        th += s->ability;
        if (self->n_events > 0 && s->last_i == self->n_events - 1) same += 1;
        if (n < fewest) {
            fewest = n;
            q->rarest = q->skills[k];
        }
    }
    if (q->n_skills) {
        double n = (double)q->n_skills;
        d /= n;
        u /= n;
        th /= n;
        same /= n;
        r /= n;
    }
    for (int k = 0; k < 3; k++)
        q->regimes[k] = q->item_row < 0 ? 0.0 : m->item_regime[(q->fold * m->n_items + q->item_row) * 3 + k];
    q->b_skills = m->b + d;
    q->b_item = at(m->item_b, q->fold, m->n_items, q->item_row);
    q->b = q->b_skills + q->b_item;
    q->m = m->m + u + at(m->item_m, q->fold, m->n_items, q->item_row);
    q->n_rarest = fewest;
    q->ability = th;
    q->same = same;
    q->regime_item = q->regimes[regime(q->item)];
    q->regime_skill = r;
}

/* How this learner's answers lean away from the logit: a regression of their own on eight facts of the row, kept as
 * mean and covariance and followed by a Kalman filter. */
static void lean(Asked *q, const Self *self, double z, double t) {
    const Block *item = q->item;
    double seen = item->n > 0, minutes = larger(t - item->last_t, 0.0), *x = q->lean;
    int r = regime(item);
    x[0] = 1.0;
    x[1] = r == 1;
    x[2] = r == 2;
    x[3] = seen * (smaller(larger(log(0.05 + minutes), -3.0), 12.0) / 4.0 - 0.4);
    x[4] = seen * (minutes > 60.0);
    x[5] = smaller(larger(q->b, -3.0), 3.0) / 1.5;
    x[6] = seen * (log1p(item->n) - 0.9);
    x[7] = smaller(log1p((double)self->n_events), 12.0) / 5.0 - 0.8;
    q->logit = z + q->regime_item + q->regime_skill;
    q->leaning = q->lean_var = 0.0;
    for (int a = 0; a < N_LEAN; a++) {
        double u = 0.0;
        for (int b = 0; b < N_LEAN; b++) u += self->lean_var[a * N_LEAN + b] * x[b];
        q->leaning += self->lean[a] * x[a];
        q->lean_var += u * x[a];
    }
}

static void lean_on(Self *self, const Asked *q, double y) {
    double p = sigmoid(q->logit + q->leaning), h = p * (1.0 - p), c = 1.0 / (1.0 + h * q->lean_var), u[N_LEAN];
    for (int a = 0; a < N_LEAN; a++) {
        u[a] = 0.0;
        for (int b = 0; b < N_LEAN; b++) u[a] += self->lean_var[a * N_LEAN + b] * q->lean[b];
    }
    for (int a = 0; a < N_LEAN; a++) {
        self->lean[a] += u[a] * c * (y - p);
        for (int b = 0; b < N_LEAN; b++) self->lean_var[a * N_LEAN + b] -= h * c * u[a] * u[b];
        /* Never beyond the prior: what a learner's rows do not show would grow without end. */
        double *own = &self->lean_var[a * N_LEAN + a];
        if (*own < LEAN_PRIOR[a]) *own += LEAN_DRIFT * LEAN_PRIOR[a];
    }
}

/* What is the same for whatever a learner is asked about at a moment, of the last N_ROW numbers. */
static void of_self(const Self *self, double gap, double t, double *x) {
    double i = (double)self->n_events;
    x[0] = log1p(i);
    x[9] = log(0.01 + gap);
    x[10] = log(0.01 + larger(gap - self->prev_minutes, 0.0));
    x[11] = self->prev_rt;
    x[12] = self->prev_res;
    x[13] = self->prev_y;
    x[14] = self->prev_shown;
    x[15] = self->prev2_res;
    x[16] = self->rt_fast;
    x[17] = self->rt_mid;
    x[18] = self->rt_slow;
    x[19] = sqrt(self->rt_var);
    x[20] = log1p(self->session_n);
    x[21] = log(0.1 + t - self->session_t);
    x[22] = self->session_k;
    x[23] = self->run_n;
    x[24] = self->run_wins;
    x[26] = self->n_new / (i + 1.0);
    x[28] = self->run_rt;
    x[31] = gap < 60.0 ? gap - self->prev_minutes : 60.0;
    x[32] = self->prev2_y;
    for (int k = 0; k < N_LEAN; k++) x[41 + k] = self->lean[k];
}

/* The others of them. */
static void of_row(const Asked *q, const Statics *m, const Self *self, uint64_t item_key, double z, double *x) {
    x[1] = z - q->item->ability;
    x[2] = z;
    x[3] = q->b;
    x[4] = q->b_skills;
    x[5] = log1p(at(m->item_n, q->fold, m->n_items, q->item_row));
    x[6] = q->m;
    x[7] = q->same;
    x[8] = self->n_events > 0 && item_key == self->prev_item;
    x[25] = (double)q->n_skills;
    x[27] = q->b_item;
    x[29] = q->n_skills ? log1p(q->n_rarest) : 0.0;
    x[30] = q->m + self->rt_mid;
    x[33] = q->item->ability + q->ability;
    x[34] = q->regime_item;
    x[35] = q->regime_skill;
    x[36] = q->regimes[0];
    x[37] = q->logit;
    x[38] = q->logit + q->leaning;
    x[39] = q->leaning;
    x[40] = q->lean_var;
}

static void features(const Asked *q, const Statics *m, const Self *self, uint64_t item_key, double gap, double t,
                     double z, float *out) {
    double o[N_FEATURES], i = (double)self->n_events;
    memset(o, 0, sizeof o);
    describe(&self->block, m, i, t, o);
    if (q->n_skills) describe(q->rarest, m, i, t, o + N_BLOCK);
    describe(q->item, m, i, t, o + 2 * N_BLOCK);
    of_self(self, gap, t, o + 3 * N_BLOCK);
    of_row(q, m, self, item_key, z, o + 3 * N_BLOCK);
    for (int c = 0; c < N_FEATURES; c++) out[c] = (float)o[c];
}

/* The event is over: its outcome and response time enter the learner's own counts. */
static void absorb(Self *self, Asked *q, const Statics *m, uint64_t item_key, double t, double y, double p,
                   double seconds) {
    double i = (double)self->n_events, log_s = seconds == seconds ? log(seconds) : NAN, rt = log_s - q->m;
    if (q->item->last_i < 0) self->n_new += 1.0;
    if (y == y) lean_on(self, q, y);
    count(&self->block, i, t, y, p, rt, m->steps, LEARNER_MEANS);
    count(q->item, i, t, y, p, rt, m->steps + 6, ITEM_MEANS);
    for (int64_t k = 0; k < q->n_skills; k++) count(q->skills[k], i, t, y, p, rt, m->steps + 3, SKILL_MEANS);
    if (rt == rt) {
        double d = rt - self->rt_mid, n = self->rt_n += 1.0;
        self->prev2_res = self->prev_res;
        self->prev_rt = log_s;
        self->prev_res = rt;
        self->rt_var += larger(0.05, 1.0 / (n + 3.0)) * (d * d - self->rt_var);
        self->rt_fast += larger(0.5, 1.0 / (n + 1.0)) * (rt - self->rt_fast);
        self->rt_mid += larger(0.15, 1.0 / (n + 2.0)) * (rt - self->rt_mid);
        self->rt_slow += larger(0.02, 1.0 / (n + 3.0)) * (rt - self->rt_slow);
        self->rt_self += larger(0.05, 1.0 / (n + 3.0)) * (rt - self->rt_self);
        self->prev_minutes = seconds / 60.0;
        self->run_rt = rt;
    } else
        self->prev_minutes = 0.0;
    if (y == y) {
        self->prev2_y = self->prev_y;
        self->prev_y = y;
        self->run_wins += y;
        self->prev_shown = 0.0;
    } else
        self->prev_shown = 1.0;
    self->run_n += 1.0;
    self->session_n += 1.0;
    self->prev_t = t;
    self->prev_item = item_key;
    self->n_events += 1;
}

static Block *found(const Index *x, Block *blocks, int64_t *n_blocks, uint64_t key, double mean, Block *spare) {
    int32_t *s = slot(x, blocks, key);
    if (*s < 0 && spare) {
        reset(spare, key, mean);
        return spare;
    }
    if (*s < 0) {
        *s = (int32_t)(*n_blocks)++;
        reset(&blocks[*s], key, mean);
    }
    if (!spare) return &blocks[*s];
    *spare = blocks[*s];
    return spare;
}

/* Fold rows first..last into one learner's state, or only ask about them where `flags` lacks UPDATE or y is below 0.
 * `blocks` has room for whatever is new; `out` (rows, N_FEATURES) and `traces` may be NULL. 0, or -1 without memory. */
static int one_learner(const Statics *m, const Rows *rows, int64_t first, int64_t last, int64_t fold, int flags,
                       Self *self, Block *blocks, int64_t *n_blocks, float *out, const Traces *traces) {
    int64_t most = 0, total = *n_blocks;
    for (int64_t r = first; r < last; r++) {
        int64_t n = rows->skill_ptr[r + 1] - rows->skill_ptr[r];
        most = n > most ? n : most;
        total += n + 1;
    }
    Index index;
    Block **skills = malloc((size_t)(most + 1) * sizeof *skills), *spares = malloc((size_t)(most + 1) * sizeof *spares);
    if (!skills || !spares || !place(&index, flags & UPDATE ? total : *n_blocks + 1)) {
        free(skills);
        free(spares);
        return -1;
    }
    for (int64_t k = 0; k < *n_blocks; k++) *slot(&index, blocks, blocks[k].key) = (int32_t)k;
    Self asked;
    for (int64_t r = first; r < last; r++) {
        int64_t a = rows->skill_ptr[r], n = rows->skill_ptr[r + 1] - a;
        Self *who = self;
        int learns = (flags & UPDATE) && !(rows->y[r] < 0.0);
        if (!learns) {
            asked = *self;
            who = &asked;
        }
        double t = rows->t[r], y = rows->y[r], gap = advance(who, &t), i = (double)who->n_events;
        Asked q = {.skills = skills, .skill_rows = rows->skill_row + a, .n_skills = n, .fold = fold,
                   .item_row = rows->item_row[r]};
        q.item = found(&index, blocks, n_blocks, rows->item_key[r], m->mean, learns ? NULL : &spares[most]);
        for (int64_t k = 0; k < n; k++)
            skills[k] = found(&index, blocks, n_blocks, rows->skill_key[a + k], m->mean,
                              learns ? NULL : &spares[k]);
        if (flags & DECAYS) {
            decay(&who->block, m, i, t);
            decay(q.item, m, i, t);
            for (int64_t k = 0; k < n; k++) decay(skills[k], m, i, t);
        }
        ask(&q, m, who);
        double z = q.b + who->block.ability + q.ability + q.item->ability;
        lean(&q, who, z, t);
        if (out) features(&q, m, who, rows->item_key[r], gap, t, z, out + (r - first) * N_FEATURES);
        if (traces) {
            traces->offset[r] = z - q.b;
            traces->weight[r] = 1.0 / (1.0 + q.item->n);
            traces->rt_offset[r] = who->rt_self;
            traces->item_regime[r] = (int8_t)regime(q.item);
            for (int64_t k = 0; k < n; k++) traces->skill_regime[a + k] = (int8_t)regime(skills[k]);
        }
        if (learns) absorb(who, &q, m, rows->item_key[r], t, y, sigmoid(z), rows->seconds[r]);
    }
    free(index.slots);
    free(skills);
    free(spares);
    return 0;
}

int learner_fold(const Statics *m, const Rows *rows, int64_t n_rows, int64_t fold, int flags, Self *self, Block *blocks,
                 int64_t *n_blocks, float *out) {
    return one_learner(m, rows, 0, n_rows, fold, flags, self, blocks, n_blocks, out, NULL);
}

/* The same for a few rows in one piece of memory, in the order of engine/learner/rows.py. */
int learner_fold_packed(const Statics *m, const char *content, int64_t n, int64_t n_skills, int64_t fold, int flags,
                        Self *self, Block *blocks, int64_t *n_blocks, float *out) {
    const double *t = (const double *)content;
    const int64_t *skill_ptr = (const int64_t *)(t + 4 * n);
    const uint64_t *skill_key = (const uint64_t *)(skill_ptr + n + 1);
    const int32_t *item_row = (const int32_t *)(skill_key + n_skills);
    Rows rows = {t, t + n, t + 2 * n, (const uint64_t *)(t + 3 * n), item_row, skill_ptr, skill_key, item_row + n};
    return one_learner(m, &rows, 0, n, fold, flags, self, blocks, n_blocks, out, NULL);
}

void learner_start(Self *self, double mean) { start(self, mean); }

/* Fold many learners, each from nothing: rows learner_ptr[l] .. learner_ptr[l + 1]. `kept` (rows,) says where a row's
 * features go in `out`, -1 for nowhere; columns (n_columns,) which of them. */
int learner_encode(const Statics *m, const Rows *rows, const int64_t *learner_ptr, int64_t first, int64_t last,
                   const int32_t *folds, int flags, const int32_t *columns, int64_t n_columns, const int64_t *kept,
                   float *out, const Traces *traces) {
    enum { SEGMENT = 2048 };  /* rows at a time: a learner of a million events needs no more room than others */
    Block *blocks = NULL;
    float *all = out ? malloc((size_t)SEGMENT * N_FEATURES * sizeof *all) : NULL;
    int64_t capacity = 0;
    int failed = out && !all;
    for (int64_t l = first; l < last && !failed; l++) {
        int64_t a = learner_ptr[l], z = learner_ptr[l + 1], n_blocks = 0;
        int64_t need = z - a + rows->skill_ptr[z] - rows->skill_ptr[a];
        if (need > capacity) {
            free(blocks);
            blocks = malloc((size_t)need * sizeof *blocks);
            capacity = blocks ? need : 0;
        }
        Self self;
        start(&self, m->mean);
        failed = need && !blocks;
        for (int64_t from = a; from < z && !failed; from += SEGMENT) {
            int64_t to = from + SEGMENT < z ? from + SEGMENT : z;
            failed = one_learner(m, rows, from, to, folds[l], flags, &self, blocks, &n_blocks, all, traces);
            if (!out || failed) continue;
            for (int64_t r = from; r < to; r++)
                if (kept[r] >= 0)
                    for (int64_t c = 0; c < n_columns; c++)
                        out[kept[r] * n_columns + c] = all[(r - from) * N_FEATURES + columns[c]];
        }
    }
    free(blocks);
    free(all);
    return failed ? -1 : 0;
}

/* A block as it stands at the moment of asking, with its numbers once somebody needed them. */
typedef struct {
    Block block;
    double told[N_BLOCK];
    int is_told;
} Met;

/* One moment of asking: the blocks of the learner by key, and those of skills that were met so far. */
typedef struct {
    const Statics *m;
    Block *blocks;
    Index of_blocks, of_met;
    Met *met;
    int64_t n_met;
    double i, t;
} Moment;

/* Take a block as it stands now, as if nothing were known where the key was never met: whether it was. */
static int taken(const Moment *now, uint64_t key, Met *met) {
    int32_t at = *slot(&now->of_blocks, now->blocks, key);
    met->is_told = 0;
    if (at < 0) reset(&met->block, key, now->m->mean);
    else {
        met->block = now->blocks[at];
        decay(&met->block, now->m, now->i, now->t);
    }
    return at >= 0;
}

static Met *met_once(Moment *now, uint64_t key) {
    uint64_t at = (key ^ (key >> 29)) & now->of_met.mask;
    int32_t *slots = now->of_met.slots;
    while (slots[at] >= 0 && now->met[slots[at]].block.key != key) at = (at + 1) & now->of_met.mask;
    if (slots[at] < 0) {
        slots[at] = (int32_t)now->n_met++;
        taken(now, key, &now->met[slots[at]]);
    }
    return &now->met[slots[at]];
}

static const double *told(const Moment *now, Met *met) {
    if (!met->is_told) describe(&met->block, now->m, now->i, now->t, met->told);
    met->is_told = 1;
    return met->told;
}

/* Features of rows of a larger set, `which` (n,), all asked at one moment t without a trace: `columns` of them into out
 * (n, n_columns), `more` of them into out_more (n, n_more). 0, or -1 without memory. The same numbers as one_learner
 * gives; what is the same for many rows, the learner, a skill, an item nobody met, is worked out once. */
int learner_ask(const Statics *m, const Rows *rows, const int64_t *which, int64_t n, double t, const Self *self,
                Block *blocks, int64_t n_blocks, const int32_t *columns, int64_t n_columns, float *out,
                const int32_t *more, int64_t n_more, float *out_more) {
    int64_t n_skills = 0, most = 0;
    for (int64_t r = 0; r < n; r++) {
        int64_t k = rows->skill_ptr[which[r] + 1] - rows->skill_ptr[which[r]];
        n_skills += k;
        most = k > most ? k : most;
    }
    Self who = *self;
    double gap = advance(&who, &t);
    Moment now = {.m = m, .blocks = blocks, .i = (double)who.n_events, .t = t};
    now.met = malloc((size_t)(n_skills + 1) * sizeof *now.met);
    Met **skills = malloc((size_t)(most + 1) * sizeof *skills);
    Block **own = malloc((size_t)(most + 1) * sizeof *own);
    int failed = !now.met || !skills || !own || !place(&now.of_blocks, n_blocks + 1) || !place(&now.of_met, n_skills + 1);
    if (!failed) {
        for (int64_t k = 0; k < n_blocks; k++) *slot(&now.of_blocks, blocks, blocks[k].key) = (int32_t)k;
        decay(&who.block, m, now.i, t);
        double o[N_FEATURES];
        memset(o, 0, sizeof o);
        describe(&who.block, m, now.i, t, o);
        of_self(&who, gap, t, o + 3 * N_BLOCK);
        Met item, nobody = {.is_told = 0};
        reset(&nobody.block, 0, m->mean);
        for (int64_t r = 0; r < n; r++) {
            int64_t row = which[r], a = rows->skill_ptr[row];
            uint64_t key = rows->item_key[row];
            Met *it = taken(&now, key, &item) ? &item : &nobody;
            Asked q = {.item = &it->block, .skills = own, .skill_rows = rows->skill_row + a,
                       .n_skills = rows->skill_ptr[row + 1] - a, .item_row = rows->item_row[row]};
            for (int64_t k = 0; k < q.n_skills; k++) {
                skills[k] = met_once(&now, rows->skill_key[a + k]);
                own[k] = &skills[k]->block;
            }
            ask(&q, m, &who);
            double z = q.b + who.block.ability + q.ability + q.item->ability;
            lean(&q, &who, z, t);
            if (!q.n_skills) memset(o + N_BLOCK, 0, N_BLOCK * sizeof *o);
            for (int64_t k = 0; k < q.n_skills; k++)
                if (own[k] == q.rarest) {
                    memcpy(o + N_BLOCK, told(&now, skills[k]), N_BLOCK * sizeof *o);
                    break;
                }
            memcpy(o + 2 * N_BLOCK, told(&now, it), N_BLOCK * sizeof *o);
            of_row(&q, m, &who, key, z, o + 3 * N_BLOCK);
            for (int64_t c = 0; c < n_columns; c++) out[r * n_columns + c] = (float)o[columns[c]];
            for (int64_t c = 0; c < n_more; c++) out_more[r * n_more + c] = (float)o[more[c]];
        }
    }
    free(now.met);
    free(skills);
    free(own);
    free(now.of_blocks.slots);
    free(now.of_met.slots);
    return failed ? -1 : 0;
}

/* Trees as engine/learner/forest.py packs them: the children of a node lie beside each other, from `child` on; a leaf's
 * child is the leaf itself. `leaf` is a leaf's row of what the leaves say. */
typedef struct {
    float split;
    int32_t child, leaf;
    int16_t column, inner;
} Node;

/* One level down, the same work for a leaf, which stays: there is nothing to guess wrong. */
static int32_t below(const Node *node, const float *x) {
    return node->child + ((x[node->column] <= node->split ? 0 : 1) & node->inner);
}

static void add(const double *says, int64_t n_out, double *out) {
    for (int64_t k = 0; k < n_out; k++) out[k] += says[k];
}

/* What the leaves say that rows of x (n, n_columns) reach, added tree by tree: `says` (n_leaves, n_out) to out (n, n_out).
 * The root of tree k is nodes[roots[k]]. */
void forest_walk(const float *x, int64_t n, int64_t n_columns, int64_t n_trees, const int64_t *roots, const Node *nodes,
                 const double *says, int64_t n_out, double *out) {
    enum { CHUNK = 64, TOGETHER = 8 };
    for (int64_t from = 0; from < n; from += CHUNK) {
        int64_t to = from + CHUNK < n ? from + CHUNK : n;
        for (int64_t k = 0; k < n_trees; k++) {
            const Node *tree = nodes + roots[k];
            int64_t row = from;
            /* Several rows at a time: each waits for memory on its own, and the processor has time for the others. */
            for (; row + TOGETHER <= to; row += TOGETHER) {
                const float *f = x + row * n_columns;
                int32_t at[TOGETHER] = {0}, going = tree->inner;
                while (going) {
                    going = 0;
                    for (int j = 0; j < TOGETHER; j++) {
                        at[j] = below(tree + at[j], f + j * n_columns);
                        going |= tree[at[j]].inner;
                    }
                }
                for (int j = 0; j < TOGETHER; j++) add(says + tree[at[j]].leaf * n_out, n_out, out + (row + j) * n_out);
            }
            for (; row < to; row++) {
                int32_t at = 0;
                while (tree[at].inner) at = below(tree + at, x + row * n_columns);
                add(says + tree[at].leaf * n_out, n_out, out + row * n_out);
            }
        }
    }
}

enum { LANES = 32 };
typedef float Floats __attribute__((vector_size(4 * LANES / 2), aligned(4)));
typedef int32_t Bits __attribute__((vector_size(4 * LANES / 2), aligned(4)));

/* The leaves left over of one tree for many rows at once: a node that sends a row to the right strikes out the leaves on
 * its left, and what is then the lowest is where the row ends (QuickScorer, Lucchese et al. 2015). */
WIDE static void strike(const float *xt, int64_t n_nodes, const float *split, const int32_t *column,
                        const uint32_t *right, int half, uint32_t *left_over) {
    Bits one = {0}, two = {0};
    one = ~one;
    two = ~two;
    for (int64_t k = 0; k < n_nodes; k++) {
        const float *f = xt + (int64_t)column[k] * LANES;
        int32_t kept = (int32_t)right[k];
        one &= (*(const Floats *)f <= split[k]) | kept;
        if (!half) two &= (*(const Floats *)(f + LANES / 2) <= split[k]) | kept;
    }
    memcpy(left_over, &one, sizeof one);
    memcpy(left_over + LANES / 2, &two, sizeof two);
}

/* What the lowest leaf left over says in four numbers, as a ranker's does by family, added to the sums of each row. */
WIDE static void add_four(const uint32_t *left_over, const double *of_tree, int64_t rows, double *out) {
    typedef double Four __attribute__((vector_size(32), aligned(8)));
    for (int64_t j = 0; j < rows; j++)
        *(Four *)(out + 4 * j) += *(const Four *)(of_tree + 4 * __builtin_ctz(left_over[j]));
}

/* The same sums as forest_walk, for trees of at most 32 leaves and many rows: node k of a tree is node_ptr[tree] + k,
 * its leaves are leaf_ptr[tree] + their place from left to right. 0, or -1 without memory. */
int forest_strike(const float *x, int64_t n, int64_t n_columns, int64_t n_trees, const int64_t *node_ptr,
                  const int64_t *leaf_ptr, const float *split, const int32_t *column, const uint32_t *right,
                  const double *says, int64_t n_out, double *out) {
    float *xt = malloc((size_t)(n_columns * LANES + 1) * sizeof *xt);
    if (!xt) return -1;
    for (int64_t from = 0; from < n; from += LANES) {
        int64_t rows = from + LANES < n ? LANES : n - from;
        for (int64_t c = 0; c < n_columns; c++)
            for (int64_t j = 0; j < LANES; j++) xt[c * LANES + j] = j < rows ? x[(from + j) * n_columns + c] : 0.0f;
        for (int64_t k = 0; k < n_trees; k++) {
            uint32_t left_over[LANES];
            int64_t a = node_ptr[k];
            strike(xt, node_ptr[k + 1] - a, split + a, column + a, right + a, rows <= LANES / 2, left_over);
            const double *of_tree = says + leaf_ptr[k] * n_out;
            if (n_out == 1)
                for (int64_t j = 0; j < rows; j++) out[from + j] += of_tree[__builtin_ctz(left_over[j])];
            else if (n_out == 4) add_four(left_over, of_tree, rows, out + 4 * from);
            else
                for (int64_t j = 0; j < rows; j++)
                    add(of_tree + __builtin_ctz(left_over[j]) * n_out, n_out, out + (from + j) * n_out);
        }
    }
    free(xt);
    return 0;
}

/* out (n_out,) += a (n_in,) by weights (n_in, n_out), whose rows lie `stride` apart, one input after the other: the same
 * for a row on its own and among others. */
WIDE static void pour(const float *a, int64_t n_in, const float *weights, int64_t stride, int64_t n_out, float *out) {
    int64_t i = 0;
    /* Four inputs at a visit, still one after the other for each output. */
    for (; i + 4 <= n_in; i += 4) {
        const float *w0 = weights + i * stride, *w1 = w0 + stride, *w2 = w1 + stride, *w3 = w2 + stride;
        float b0 = a[i], b1 = a[i + 1], b2 = a[i + 2], b3 = a[i + 3];
        for (int64_t j = 0; j < n_out; j++) out[j] = (((out[j] + b0 * w0[j]) + b1 * w1[j]) + b2 * w2[j]) + b3 * w3[j];
    }
    for (; i < n_in; i++) {
        const float *w = weights + i * stride;
        float by = a[i];
        for (int64_t j = 0; j < n_out; j++) out[j] += by * w[j];
    }
}

typedef struct {
    int64_t d, h1, h2;
    const float *mean, *scale, *first, *first_bias, *item_shift, *second, *second_bias, *out, *straight, *item_bias, *bias;
} Net;

/* Logits of a network with two hidden layers for rows of x, `stride` apart, and items, the last of which is unknown;
 * 0, or -1 without memory. */
int net_logits(const Net *net, const float *x, int64_t n, int64_t stride, const int32_t *item_row, int64_t n_items,
               float farthest, double *logits) {
    float *z = malloc((size_t)(net->d + net->h1 + net->h2) * sizeof *z);
    if (!z) return -1;
    float *one = z + net->d, *two = one + net->h1;
    for (int64_t r = 0; r < n; r++) {
        int64_t item = item_row[r] < 0 ? n_items - 1 : item_row[r];
        for (int64_t c = 0; c < net->d; c++) {
            float v = (x[r * stride + c] - net->mean[c]) / net->scale[c];
            z[c] = v > farthest ? farthest : v < -farthest ? -farthest : v;
        }
        memset(one, 0, (size_t)(net->h1 + net->h2) * sizeof *one);
        pour(z, net->d, net->first, net->h1, net->h1, one);
        for (int64_t j = 0; j < net->h1; j++) {
            float v = one[j] + net->first_bias[j] + net->item_shift[item * net->h1 + j];
            one[j] = v > 0.0f ? v : 0.0f;
        }
        pour(one, net->h1, net->second, net->h2, net->h2, two);
        float last = 0.0f, straight = 0.0f;
        for (int64_t j = 0; j < net->h2; j++) {
            float v = two[j] + net->second_bias[j];
            last += (v > 0.0f ? v : 0.0f) * net->out[j];
        }
        for (int64_t c = 0; c < net->d; c++) straight += z[c] * net->straight[c];
        logits[r] = (double)(last + straight + net->item_bias[item] + net->bias[0]);
    }
    free(z);
    return 0;
}

/* Products of vectors by (n_by, d) with n others, given as the columns of `across` (d, n), plus biases (n,): (n_by, n), the
 * same for one on its own and among others. What is across is read once for all of them. */
void products(const float *across, const double *biases, int64_t n, int64_t d, const float *by, int64_t n_by,
              double *out) {
    enum { BLOCK_OF = 512 };
    float sums[BLOCK_OF];
    for (int64_t from = 0; from < n; from += BLOCK_OF) {
        int64_t many = from + BLOCK_OF < n ? BLOCK_OF : n - from;
        for (int64_t k = 0; k < n_by; k++) {
            memset(sums, 0, (size_t)many * sizeof *sums);
            pour(by + k * d, d, across + from, n, many, sums);
            for (int64_t j = 0; j < many; j++) out[k * n + from + j] = (double)sums[j] + biases[from + j];
        }
    }
}

/* Sums (n,) of the rows `from` (n_from,) of a sparse matrix by their weights; rows i hold starts[i] .. starts[i + 1]. */
void sparse_sums(const int64_t *starts, const int32_t *neighbour, const float *weight, const int64_t *from,
                 const double *by, int64_t n_from, double *sums) {
    for (int64_t k = 0; k < n_from; k++)
        for (int64_t e = starts[from[k]]; e < starts[from[k] + 1]; e++) sums[neighbour[e]] += by[k] * (double)weight[e];
}

/* Add to out (n,), so many times, the logarithm of the sums of rows `from` counted from a floor, where they are above 0.
 * 0, or -1 without memory. */
int sparse_logs(const int64_t *starts, const int32_t *neighbour, const float *weight, const int64_t *from,
                const double *by, int64_t n_from, int64_t n, double floor, double times, double *out) {
    double *sums = calloc((size_t)n + 1, sizeof *sums);
    if (!sums) return -1;
    sparse_sums(starts, neighbour, weight, from, by, n_from, sums);
    for (int64_t r = 0; r < n; r++)
        if (sums[r] > 0.0) out[r] += times * log1p(sums[r] / floor);
    free(sums);
    return 0;
}

/* Where a number stands among n, each of which is there once; -1 where it is not. */
WIDE static int32_t found_at(const int32_t *numbers, int32_t n, int32_t number) {
    int32_t at = -1;
    for (int32_t e = 0; e < n; e++) {
        int32_t here = numbers[e] == number ? e : -1;
        at = here > at ? here : at;
    }
    return at;
}

/* For each of a few rows `to` (n_to,) the places among rows `from` (n_from,) of the two whose weight to it is the most,
 * the first of equals first, -1 where none is above 0: out (n_to, 2). */
void strongest(const int64_t *starts, const int32_t *neighbour, const float *weight, const int64_t *from, int64_t n_from,
               const int64_t *to, int64_t n_to, int64_t *out) {
    for (int64_t i = 0; i < n_to; i++, out += 2) {
        float first = 0.0f, second = 0.0f;
        out[0] = out[1] = -1;
        for (int64_t k = 0; k < n_from; k++) {
            int64_t a = starts[from[k]];
            int32_t at = found_at(neighbour + a, (int32_t)(starts[from[k] + 1] - a), (int32_t)to[i]);
            float own = at < 0 ? 0.0f : weight[a + at];
            if (own > first) {
                out[1] = out[0];
                second = first;
                out[0] = k;
                first = own;
            } else if (own > second) {
                out[1] = k;
                second = own;
            }
        }
    }
}

typedef struct {
    double score;
    int64_t tie, row;
} Placed;

static int behind(const Placed *a, const Placed *b) {
    return a->score < b->score || (a->score == b->score && a->tie > b->tie);
}

/* Put `one` at the root of a heap with the last of all on top. */
static void sink(Placed *heap, int64_t n, Placed one) {
    int64_t at = 0;
    for (int64_t child = 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && behind(&heap[child + 1], &heap[child])) child++;
        if (!behind(&heap[child], &one)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = one;
}

/* A score that at least k rows reach, or -INFINITY: the k-th highest of the best of every few rows, which stand far
 * apart, as what is alike stands together. Whatever is among the best k reaches it, and not much else does. */
WIDE static double bar_of(const double *score, const uint8_t *allowed, int64_t n, int64_t k, double *best) {
    enum { FEW = 16 };
    int64_t parts = n / FEW;
    if (parts < 2 * k) return -INFINITY;
    for (int64_t part = 0; part < parts; part++) best[part] = -INFINITY;
    for (int64_t from = 0; from + parts <= n; from += parts)
        for (int64_t part = 0; part < parts; part++) {
            double one = allowed[from + part] ? score[from + part] : -INFINITY;
            best[part] = one > best[part] ? one : best[part];
        }
    /* Hoare's selection: what stands at place k - 1 once the higher come first. */
    int64_t low = 0, high = parts - 1;
    while (low < high) {
        double pivot = best[(low + high) / 2];
        int64_t i = low, j = high;
        while (i <= j) {
            while (best[i] > pivot) i++;
            while (best[j] < pivot) j--;
            if (i <= j) {
                double one = best[i];
                best[i++] = best[j];
                best[j--] = one;
            }
        }
        if (k - 1 <= j) high = j;
        else if (k - 1 >= i) low = i;
        else break;
    }
    return best[k - 1];
}

/* The best k allowed rows by score (n,), the highest first, equals by `tie`, without NaN: rows into out (k,), how many
 * is the result; -1 without memory. What does not reach the bar costs one comparison. */
int64_t best_rows(const double *score, const uint8_t *allowed, const int64_t *tie, int64_t n, int64_t k, int64_t *out) {
    Placed *heap = malloc((size_t)(k + 1) * sizeof *heap);
    double *best = malloc((size_t)(n / 8 + 1) * sizeof *best);
    if (!heap || !best) {
        free(heap);
        free(best);
        return -1;
    }
    double bar = k > 0 ? bar_of(score, allowed, n, k, best) : 0.0;
    int64_t found = 0;
    for (int64_t r = 0; r < n && k > 0; r++) {
        if (!(score[r] >= bar) || !allowed[r]) continue;
        Placed one = {score[r], tie[r], r};
        if (found == k) {
            if (!behind(&heap[0], &one)) continue;
            sink(heap, k, one);
        } else {
            int64_t at = found++;
            for (; at && behind(&one, &heap[(at - 1) / 2]); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
            heap[at] = one;
        }
    }
    for (int64_t left = found; left > 0; left--) {
        out[left - 1] = heap[0].row;
        sink(heap, left - 1, heap[left - 1]);
    }
    free(heap);
    free(best);
    return found;
}

/* What the learned ranker looks at: `models` sum up the learner's own work, each in its reading (engine/ranking/features.py
 * says the same in numpy and is its oracle). Arrays are over the resources a bundle knows unless said otherwise. */
typedef struct {
    const int64_t *starts;
    const int32_t *neighbour;
    const float *weight;
    double half_life;  /* in days; 0 every resource alike, less than 0 only the last few */
    int64_t unit, kind;
} Reading;

enum { EASE, AFTER, ALIKE };
static const double SUM_FLOOR = 1e-2, STEP_FLOOR = 1e-4, UNSAID = -99.0, NO_AGE = -1.0;

typedef struct {
    int64_t n_resources, n_models, n_formats, n_shared, n_by_day, n_columns, n_last;
    const Reading *models;
    const int64_t *formats;
} Ranking;

/* How a cohort stands: `columns` (n_resources, n_shared), counts by kind, ages, and formats (n_formats,). */
typedef struct {
    const float *columns, *votes, *votes_3d, *votes_7d, *median_age;
    const double *recent, *share, *offered;
} Standing;

/* A learner's work: distinct resources in order, the days since each, and what was said of all resources, or NULL. */
typedef struct {
    const int64_t *rows;
    const double *days;
    int64_t n;
    const double *factors, *by_day;
} Work;

/* How much each resource of the work speaks. */
static void readings(const Work *w, double half_life, int64_t unit, int64_t n_last, double *by) {
    int64_t last = w->n < n_last ? w->n : n_last;
    double length = 0.0;
    for (int64_t k = 0; k < w->n; k++) {
        if (half_life < 0.0) by[k] = k >= w->n - last ? 1.0 / (double)last : 0.0;
        else by[k] = half_life > 0.0 ? exp2(-w->days[k] / half_life) : 1.0;
        length += by[k] * by[k];
    }
    length = sqrt(length) + 1e-6;
    for (int64_t k = 0; unit && k < w->n; k++) by[k] /= length;
}

/* 0 for the highest of v (n,), equals in order: counted, which for a few hundred is quicker than sorted. */
WIDE static void places(const double *v, int64_t n, float *out, int64_t stride) {
    for (int64_t i = 0; i < n; i++) {
        int64_t above = 0;
        double mine = v[i];
        for (int64_t j = 0; j < i; j++) above += v[j] >= mine;
        for (int64_t j = i; j < n; j++) above += v[j] > mine;
        out[i * stride] = (float)above;
    }
}

static double highest(const double *v, int64_t n, double least) {
    for (int64_t i = 0; i < n; i++) least = larger(least, v[i]);
    return least;
}

/* Each is handed the place of its first column and gives back the place after its last. */
static float *of_cohort(const Ranking *m, const Standing *c, const int64_t *rows, int64_t n, double *v, float *out) {
    const float *counts[3] = {c->votes, c->votes_3d, c->votes_7d};
    for (int64_t i = 0; i < n; i++)
        memcpy(out + i * m->n_columns, c->columns + rows[i] * m->n_shared, (size_t)m->n_shared * sizeof *out);
    out += m->n_shared;
    for (int which = 0; which < 3; which++) {
        for (int64_t i = 0; i < n; i++) v[i] = counts[which][rows[i]];
        places(v, n, out++, m->n_columns);
    }
    double top = highest(v, n, 0.0);
    for (int64_t i = 0; i < n; i++) out[i * m->n_columns] = (float)log((v[i] + 0.1) / (top + 0.1));
    return out + 1;
}

enum { IDLE = 16 };

static float *of_reading(const Ranking *m, const Reading *r, const Standing *c, const Work *w, const int64_t *rows,
                         int64_t n, const uint16_t *place, double *by, double *v, float *out) {
    int64_t wide = m->n_columns;
    memset(v, 0, (size_t)(n + IDLE) * sizeof *v);
    v += IDLE;
    readings(w, r->half_life, r->unit, m->n_last, by);
    for (int64_t k = 0; k < w->n; k++) {
        const int32_t *neighbour = r->neighbour + r->starts[w->rows[k]];
        const float *weight = r->weight + r->starts[w->rows[k]];
        int64_t many = r->starts[w->rows[k] + 1] - r->starts[w->rows[k]];
        double own = by[k];
        /* What is not asked for is added up aside and forgotten, in turn, so that no sum waits for the one before. */
        for (int64_t e = 0; own != 0.0 && e < many; e++) {
            int64_t to = place[neighbour[e]], idle = -(int64_t)(to == 0);
            v[to - 1 - (idle & e & (IDLE - 1))] += own * (double)weight[e];
        }
    }
    if (r->kind == EASE) {
        for (int64_t i = 0; i < n; i++) out[i * wide] = (float)v[i];
        places(v, n, out + 1, wide);
        return out + 2;
    }
    double floor = r->kind == AFTER ? STEP_FLOOR : SUM_FLOOR;
    for (int64_t i = 0; i < n; i++) v[i] = log(larger(v[i], 0.0) + floor);
    for (int64_t i = 0; i < n; i++) out[i * wide] = (float)v[i];
    if (r->kind == AFTER) return out + 1;
    double top = highest(v, n, log(SUM_FLOOR));
    for (int64_t i = 0; i < n; i++) {
        out[i * wide + 1] = (float)(v[i] - top);
        out[i * wide + 2] = (float)(v[i] - c->recent[rows[i]]);
    }
    return out + 3;
}

/* Factors, the days since the cohort's median shifted by how far the learner's last steps lag behind, and their number. */
static float *of_learner(const Ranking *m, const Standing *c, const Work *w, const int64_t *rows, int64_t n, double *v,
                         float *out) {
    double lag = 0.0, told = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double f = w->factors ? w->factors[rows[i]] : 0.0;
        v[i] = f == f ? f : 0.0;
    }
    double top = highest(v, n, -INFINITY);
    places(v, n, out + 1, m->n_columns);
    for (int64_t k = w->n > 10 ? w->n - 10 : 0; k < w->n; k++)
        if (c->median_age[w->rows[k]] != NO_AGE) {
            lag += w->days[k] - c->median_age[w->rows[k]];
            told += 1.0;
        }
    lag = told ? lag / told : 0.0;
    for (int64_t i = 0; i < n; i++) {
        double age = c->median_age[rows[i]];
        out[i * m->n_columns] = (float)(v[i] - top);
        out[i * m->n_columns + 2] = (float)(age != NO_AGE ? age + lag : UNSAID);
        out[i * m->n_columns + 3] = (float)log1p((double)w->n);
    }
    return out + 4;
}

static float *of_formats(const Ranking *m, const Standing *c, const Work *w, const int64_t *rows, int64_t n, double *by,
                         double *mine, float *out) {
    double *seen = mine + m->n_formats, all = 0.0;
    memset(mine, 0, (size_t)(2 * m->n_formats) * sizeof *mine);
    readings(w, 14.0, 0, m->n_last, by);
    for (int64_t k = 0; k < w->n; k++) {
        mine[m->formats[w->rows[k]]] += by[k];
        seen[m->formats[w->rows[k]]] += 1.0;
    }
    for (int64_t f = 0; f < m->n_formats; f++) all += mine[f];
    for (int64_t i = 0; i < n; i++) {
        int64_t f = m->formats[rows[i]];
        float *o = out + i * m->n_columns;
        o[0] = (float)((mine[f] + 2.0 * c->share[f]) / (all + 2.0));
        o[1] = (float)(seen[f] / larger(c->offered[f], 1.0));
        o[2] = (float)log((mine[f] / (all + 1e-6) + 0.02) / (c->share[f] + 0.02));
    }
    return out + 3;
}

static void of_days(const Ranking *m, const Work *w, const int64_t *rows, int64_t n, double *v, float *out) {
    for (int64_t d = 0; d < m->n_by_day; d++, out += 2) {
        for (int64_t i = 0; i < n; i++) v[i] = w->by_day ? w->by_day[d * m->n_resources + rows[i]] : UNSAID;
        double top = w->by_day ? highest(v, n, 0.0) : 0.0;
        for (int64_t i = 0; i < n; i++) {
            out[i * m->n_columns] = (float)v[i];
            out[i * m->n_columns + 1] = (float)(v[i] - top);
        }
    }
}

/* All columns of rows (n,), fewer than 65,536, into out (n, n_columns); 0, or -1 without memory. */
int ranker_columns(const Ranking *m, const Standing *c, const Work *w, const int64_t *rows, int64_t n, float *out) {
    uint16_t *place = calloc((size_t)m->n_resources + 1, sizeof *place);
    double *by = malloc((size_t)(w->n + n + IDLE + 2 * m->n_formats) * sizeof *by), *v = by + w->n, *formats = v + n + IDLE;
    int failed = !place || !by;
    if (!failed) {
        for (int64_t i = 0; i < n; i++) place[rows[i]] = (uint16_t)(i + 1);
        out = of_cohort(m, c, rows, n, v, out);
        for (int64_t k = 0; k < m->n_models; k++) out = of_reading(m, m->models + k, c, w, rows, n, place, by, v, out);
        out = of_learner(m, c, w, rows, n, v, out);
        out = of_formats(m, c, w, rows, n, by, formats, out);
        of_days(m, w, rows, n, v, out);
    }
    free(place);
    free(by);
    return failed ? -1 : 0;
}

/* All numbers of some lists, list k being ptr[k] .. ptr[k + 1] of `values`: whose they are, as places in `of`, and they. */
void gathered(const int64_t *ptr, const int64_t *values, const int64_t *of, int64_t n, int64_t *place, int64_t *out) {
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t e = ptr[of[i]]; e < ptr[of[i] + 1]; e++, at++) {
            place[at] = i;
            out[at] = values[e];
        }
}

/* Logits of a straight line over the first n_line of rows of x, `stride` apart, added from left to right beside the
 * logit it starts from: out (n,). */
void line_logits(const float *x, int64_t n, int64_t stride, const double *mean, const double *scale,
                 const double *weight, int64_t n_line, double bias, double farthest, double *out) {
    for (int64_t r = 0; r < n; r++, x += stride) {
        double told = 0.0;
        for (int64_t c = 0; c < n_line; c++) {
            double z = ((double)x[c] - mean[c]) / scale[c];
            z = (z > farthest ? farthest : z < -farthest ? -farthest : z) * weight[c];
            told = c ? told + z : z;
        }
        out[r] = told + (double)x[0] + bias;
    }
}

/* The law by which answers tell whether a skill is known (engine/learner/tracing.py says the same in numpy). Powers of
 * numbers below 1: `of_guess` and `of_wrong` by answers, `taught` by exposures. `chunks` (9, 256, 2, 2). */
typedef struct {
    double guess, span, fades, prior;
    int64_t n_keys;
    const uint64_t *keys;
    const double *priors, *chunks, *of_guess, *of_wrong;
    const float *taught;
} Tracing;

enum { HEARD = 16, HALF = HEARD / 2, MOST_SEEN = 8 };
static const double SAID = 2.0;

/* The place of a key among n ascending ones, -1 where it is not there. */
static int64_t place_of(const uint64_t *keys, int64_t n, uint64_t key) {
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (keys[middle] < key) low = middle + 1;
        else high = middle;
    }
    return low < n && keys[low] == key ? low : -1;
}

/* P(known) after n answers, at most HEARD, the newest the lowest of these bits, and how likely they are. */
static double heard(const Tracing *law, double p, int n, uint32_t bits, double *likely) {
    int lengths[2] = {n > HALF ? n - HALF : 0, n < HALF ? n : HALF};
    *likely = 1.0;
    for (int k = 0; k < 2; k++) {
        const double *to = law->chunks + ((int64_t)lengths[k] * 256 + ((bits >> (k ? 0 : HALF)) & 255)) * 4;
        double unknown = (1.0 - p) * to[0] + p * to[2], known = (1.0 - p) * to[1] + p * to[3];
        *likely *= unknown + known;
        p = known / (unknown + known);
    }
    return p;
}

/* P(known) of a skill by the answers in its block and by `said`, the word of the learner model, together; and in
 * `against` how much likelier they are of who never knows it. A wrong answer never raises it. */
static double pooled(const Tracing *law, const Block *block, double prior, int64_t n_events, double said,
                     double *against) {
    int n = (int)(block->n < HEARD ? block->n : HEARD), seen = (int)(block->seen < MOST_SEEN ? block->seen : MOST_SEEN);
    uint32_t bits = block->recent & 0xffff;
    int right = __builtin_popcount(bits);
    double first = 1.0 - (1.0 - prior) * (double)law->taught[seen], least = 1.0;
    double stays = exp(-law->fades * (double)(n_events - 1 - block->last_i));
    for (int back = 0; back <= n; back++) {
        double likely, known = heard(law, first, n - back, bits >> back, &likely);
        if (!back) *against = law->of_guess[right] * law->of_wrong[n - right] / likely;
        double left = smaller(known, prior) + larger(known - prior, 0.0) * stays, answers = (double)block->n - back;
        least = smaller(least, (SAID * said + answers * left) / (SAID + answers));
        if (bits >> back & 1) break;
    }
    return least;
}

/* What a state says of skills: `of` (n,) of all, skill k with the key keys[k] and the usual items usual_ptr[k] ..
 * usual_ptr[k + 1], on which there are in turn chances p and `facts`, the first four of each n_facts. Into `told`
 * (4, n_skills): chance on usual items, P(known), what speaks against its being in reach, the information of its
 * answers; into out_facts (n_skills, 4). 0, or -1 without memory. */
int skills_known(const Tracing *law, const uint64_t *keys, const int64_t *usual_ptr, const int64_t *of, int64_t n,
                 int64_t n_skills, const double *p, const float *facts, int64_t n_facts, const Block *blocks,
                 int64_t n_blocks, int64_t n_events, double *told, float *out_facts) {
    Index of_blocks;
    if (!place(&of_blocks, n_blocks + 1)) return -1;
    for (int64_t k = 0; k < n_blocks; k++) *slot(&of_blocks, blocks, blocks[k].key) = (int32_t)k;
    for (int64_t i = 0; i < n; i++) {
        int64_t k = of[i], many = usual_ptr[k + 1] - usual_ptr[k], at = place_of(law->keys, law->n_keys, keys[k]);
        int32_t met = *slot(&of_blocks, blocks, keys[k]);
        double rest = 0.0, against = 1.0, prior = at < 0 ? law->prior : law->priors[at];
        for (int64_t j = 1; j < many; j++) rest += p[j];
        double mastery = (p[0] + rest) / (double)many;
        double said = smaller(larger((mastery - law->guess) / law->span, 0.0), 1.0);
        told[k] = mastery;
        told[n_skills + k] = met < 0 ? said : pooled(law, &blocks[met], prior, n_events, said, &against);
        told[2 * n_skills + k] = against;
        told[3 * n_skills + k] = met < 0 ? 0.0 : (double)blocks[met].info;
        memcpy(out_facts + 4 * k, facts, 4 * sizeof *facts);
        p += many;
        facts += many * n_facts;
    }
    free(of_blocks.slots);
    return 0;
}

/* What a step is judged by, in the order of engine/learner/gains.py. */
enum { N_FACTS = 16, MASTERY = 0, READY = 2, READY_MEAN = 3, KNOWN = 15 };

/* What a menu and a state say of some of its rows and of skills, of which those not asked about have no mastery. */
typedef struct {
    const int64_t *taught_ptr, *taught, *needed_ptr, *needed;
    const double *log_minutes, *formats;
    const int64_t *format_index;
    const uint64_t *item_keys;
    const double *mastery, *known, *against, *p;
    const float *of_skill, *own;
} Steps;

/* How surely what is needed before a skill is known, the least of it and the mean; what was not asked counts as known. */
static double readiness(const Steps *s, int64_t skill, double *mean) {
    double least = 1.0, rest = 0.0, first = 1.0;
    int64_t a = s->needed_ptr[skill], z = s->needed_ptr[skill + 1];
    for (int64_t e = a; e < z; e++) {
        double known = s->known[s->needed[e]];
        if (known != known) known = 1.0;
        least = e == a ? known : smaller(least, known);
        if (e == a) first = known;
        else rest += known;
    }
    *mean = a == z ? 1.0 : (first + rest) / (double)(z - a);
    return least / larger(least + (1.0 - least) * s->against[skill], 1e-12);
}

/* Facts of each of rows (n,) with each of its skills that was asked about: how many pairs, whose place and skill go into
 * the first two, their keys into `keys`. Into `facts` (2 * n_pairs, N_FACTS) first as the step is, then as it would be if
 * its skill were ready, which is known to `mastered`; into `reach` (n_skills,) how ready skills are, 1 before. `means`
 * is as long. */
int64_t step_facts(const Steps *s, const int64_t *rows, int64_t n, int64_t n_skills, double mastered, int64_t *place,
                   int64_t *skill, uint64_t *keys, float *facts, double *reach, double *means) {
    int64_t m = 0;
    for (int64_t k = 0; k < n_skills; k++)
        if (s->mastery[k] == s->mastery[k]) reach[k] = readiness(s, k, means + k);
    for (int64_t i = 0; i < n; i++) {
        int64_t row = rows[i];
        const float *own = s->own + 5 * i;
        for (int64_t e = s->taught_ptr[row]; e < s->taught_ptr[row + 1]; e++) {
            int64_t k = s->taught[e];
            const float *of = s->of_skill + 4 * k;
            if (s->mastery[k] != s->mastery[k]) continue;
            float f[N_FACTS] = {(float)s->mastery[k], (float)s->p[i], (float)reach[k], (float)means[k], of[0], of[1],
                                own[0], own[1], of[2], of[3], own[2], (float)s->log_minutes[row],
                                (float)s->formats[s->format_index[row]], own[3], own[4], (float)s->known[k]};
            memcpy(facts + m * N_FACTS, f, sizeof f);
            place[m] = i;
            skill[m] = k;
            keys[m++] = s->item_keys[row];
        }
    }
    float ready = (float)mastered, *as_ready = facts + m * N_FACTS;
    memcpy(as_ready, facts, (size_t)(m * N_FACTS) * sizeof *facts);
    memcpy(keys + m, keys, (size_t)m * sizeof *keys);
    for (float *f = as_ready; f < as_ready + m * N_FACTS; f += N_FACTS)
        for (int k = READY; k <= READY_MEAN; k++) f[k] = f[k] > ready ? f[k] : ready;
    return m;
}

/* Expected changes by steps (n,) out of what trees say of their facts, in place: engine/learner/gains.py says how. */
void step_gains(const float *facts, int64_t n, const uint64_t *keys, const uint64_t *known_keys, const double *effects,
                int64_t n_known, double prior, double scale, double least_open, double unready, double *said) {
    for (int64_t i = 0; i < n; i++, facts += N_FACTS) {
        double mastery = facts[MASTERY], ready = facts[READY], open = larger(1.0 - (double)facts[KNOWN], least_open);
        int64_t at = place_of(known_keys, n_known, keys[i]);
        double change = prior * mastery * (1.0 - mastery) * ready + scale * open * said[i];
        said[i] = change * (unready + (1.0 - unready) * ready) * (1.0 + (at < 0 ? 0.0 : effects[at]));
    }
}

/* Of pairs (m,) with changes (2 * m,), as steps are and as if they were ready: what each wins, `gain` (m,), and the most
 * a minute wins on each skill, `best` (2, n_skills) as it is and as if it were ready, 0 before. */
void best_steps(const int64_t *place, const int64_t *skill, int64_t m, int64_t n_skills, const double *changes,
                const double *minutes, double shortest, double *gain, double *best) {
    for (int64_t e = 0; e < m; e++) {
        double takes = larger(minutes[place[e]], shortest), *own = best + skill[e], *ready = own + n_skills;
        gain[e] = larger(changes[e], 0.0);
        *own = larger(gain[e] / takes, *own);
        *ready = larger(larger(changes[m + e], gain[e]) / takes, *ready);
    }
}

/* What a minute of each of rows is worth, `rate` (n,), 0 before: changes by the value of their skills. No harm outweighs
 * the best there is, or `nothing`. */
void step_rates(const int64_t *place, const int64_t *skill, int64_t m, const double *changes, const double *value,
                const double *minutes, int64_t n, double shortest, double nothing, double *rate) {
    for (int64_t e = 0; e < m; e++)
        rate[place[e]] += changes[e] * value[skill[e]] / larger(minutes[place[e]], shortest);
    double most = nothing;
    for (int64_t i = 0; i < n; i++) most = larger(rate[i], most);
    for (int64_t i = 0; i < n; i++) rate[i] = larger(rate[i], -most);
}

/* What steps on rows (n,) are worth, how they challenge and what they tell, each as a share of `best` or of 1, by weights:
 * terms (3, n). Pairs (m,) of a place and a skill say what is uncertain of those skills that have a value: the spread of a
 * logit, 1 / sqrt(a + b * information), beside that without an answer. engine/ranking/objective.py says the same. */
typedef struct {
    double gain, strictness, most, share, curious, low, high, a, b;
} Objective;

/* How far a chance lies outside the band, as a share of the way to 0 or to 1. */
static double outside_of(const Objective *o, double p) {
    double share = p < o->low ? (o->low - p) / o->low : (p - o->high) / (1.0 - o->high);
    return smaller(larger(share, 0.0), 1.0);
}

void learning_terms(const Objective *o, const int64_t *rows, int64_t n, const int64_t *place, const int64_t *skill,
                    int64_t m, const double *value, const double *information, const double *rate, const double *p,
                    const uint8_t *answerable, double *terms) {
    double best = 0.0, most = 1.0 / sqrt(o->a), nearest = 1.0, *challenge = terms + n, *telling = challenge + n;
    for (int64_t i = 0; i < n; i++) {
        best = larger(rate[i], best);
        if (rate[i] > 0.0) nearest = smaller(outside_of(o, p[i]), nearest);
        telling[i] = 0.0;
    }
    for (int64_t e = 0; e < m; e++)
        if (value[skill[e]] > 0.0)
            telling[place[e]] = larger(1.0 / sqrt(o->a + o->b * information[skill[e]]) / most, telling[place[e]]);
    for (int64_t i = 0; i < n; i++) {
        terms[i] = o->gain * (best > 0.0 ? rate[i] / best : rate[i]);
        challenge[i] = -smaller(o->strictness * larger(outside_of(o, p[i]) - nearest, 0.0), o->most + o->share * terms[i]);
        telling[i] = o->curious * (4.0 * p[i] * (1.0 - p[i]) * telling[i] * (answerable[rows[i]] ? 1.0 : 0.0));
    }
}
