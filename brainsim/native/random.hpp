// brainsim.native: random numbers that depend on what they are for, not on what was drawn before.
//
// Philox 4x32-10 (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3): a block of four words is a function
// of a key (seed and object) and a counter (element, draw, time step). So numbers are the same for any number of
// threads, in loops over vectors and one by one. Blocks are made for eight counters at once and kept until they are
// used up.
namespace native {

// The low halves of `a` times `factor`.
inline Words product(Words a, uint64_t factor)
{
#if defined(__AVX512F__) && !defined(__clang__)
    typedef int Halves __attribute__((vector_size(64)));
    typedef long long Products __attribute__((vector_size(64)));
    const Halves x = Halves(a), y = Halves(Words{} + factor);
    return Words(__builtin_ia32_pmuludq512_mask(x, y, Products{}, (unsigned char)255));
#else
    return (a & 0xffffffffu) * factor;
#endif
}

// Blocks for the counters (first + lane, draw, step); the upper halves of the words hold rubbish.
inline void philox(uint64_t key, uint64_t first, uint64_t draw, uint64_t step, Words out[4])
{
    Words a = Words{0, 1, 2, 3, 4, 5, 6, 7} + first, b = Words{} + draw;
    Words c = Words{} + (step & 0xffffffffu), d = Words{} + (step >> 32);
    uint32_t k = uint32_t(key), l = uint32_t(key >> 32);
    for (int round = 0; round < 10; round++) {
        const Words p = product(a, 0xD2511F53u), q = product(c, 0xCD9E8D57u);
        a = (q >> 32) ^ b ^ uint64_t(k);
        b = q;
        c = (p >> 32) ^ d ^ uint64_t(l);
        d = p;
        k += 0x9E3779B9u;
        l += 0xBB67AE85u;
    }
    out[0] = a, out[1] = b, out[2] = c, out[3] = d;
}

// From 0 to 1 without 1, in steps of 2^-52.
inline Doubles fraction(Words low, Words high)
{
    const Words word = ((low & 0xffffffffu) | (high << 32)) >> 12;
    return reinterpret_cast<Doubles>(word | 0x3ff0000000000000u) - 1.0;
}

// The numbers of one task in one time step.
struct Draws {
    // Numbers in a row, for elements 16 * group and on (64 * group if they are counts).
    struct Row {
        uint64_t group, draw;
        alignas(64) double value[64];
    };
    typedef uint16_t Halves __attribute__((vector_size(64)));

    uint64_t key, step;
    int64_t element;  // of the draws that are counted: those of functions, which may draw any number of times
    uint64_t count;
    Row uniforms[4], normals[4], counts[2];

    void begin(const Random& random, uint64_t stream)
    {
        uint64_t mixed = (random.key ^ stream) + 0x9E3779B97F4A7C15u;  // splitmix64
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
        key = mixed ^ (mixed >> 31), step = random.step, element = -2;
        for (int i = 0; i < 4; i++) uniforms[i].group = normals[i].group = ~uint64_t(0);
        counts[0].group = counts[1].group = ~uint64_t(0);
    }

    template <class Fill> static double* row(Row* rows, int mask, uint64_t i, uint64_t draw, Fill fill)
    {
        Row& row = rows[draw & mask];
        const uint64_t group = (i & 0xffffffffu) >> 4;
        if (__builtin_expect(row.group != group || row.draw != draw, 0)) {
            fill(group, row.value);
            row.group = group, row.draw = draw;
        }
        return row.value + (i & 15);
    }

    double* uniform(uint64_t i, uint64_t draw)
    {
        return row(uniforms, 3, i, draw, [=](uint64_t group, double* value) {
            Words words[4];
            philox(key, 8 * group, 2 * draw, step, words);
            const Doubles a = fraction(words[0], words[1]), b = fraction(words[2], words[3]);
            std::memcpy(value, &a, sizeof a);
            std::memcpy(value + 8, &b, sizeof b);
        });
    }

    double* normal(uint64_t i, uint64_t draw)  // Box and Muller
    {
        return row(normals, 3, i, draw, [=](uint64_t group, double* value) {
            Words words[4];
            philox(key, 8 * group, 2 * draw + 1, step, words);
            const Doubles square = -2.0 * log_of_positive(1.0 - fraction(words[0], words[1]));
            Doubles sine, cosine;
            double length_of[8];
            std::memcpy(length_of, &square, sizeof square);
            for (double& x : length_of) x = std::sqrt(x);
            Doubles length;
            std::memcpy(&length, length_of, sizeof length);
            sine_and_cosine_of_turns(fraction(words[2], words[3]), sine, cosine);
            sine *= length, cosine *= length;
            std::memcpy(value, &sine, sizeof sine);
            std::memcpy(value + 8, &cosine, sizeof cosine);
        });
    }

    // How many of `size` (a multiple of eight) ascending thresholds a random word of 32 bits exceeds. Its upper half
    // mostly decides; the lower half is only made where the upper one is that of a threshold.
    double* exceeded(uint64_t i, uint64_t draw, const double* thresholds, int size)
    {
        Row& row = counts[draw & 1];
        const uint64_t group = (i & 0xffffffffu) >> 6;
        if (__builtin_expect(row.group != group || row.draw != draw, 0)) {
            Halves a, b, m{}, n{}, equal{};
            halves(group, 2 * draw, a, b);
            for (int k = 0; k < size; k += 8) {
                Halves far{};
                for (int l = k; l < k + 8; l++) {
                    const Halves upper = Halves{} + uint16_t(uint32_t(thresholds[l]) >> 16);
                    m -= Halves(a > upper), n -= Halves(b > upper);
                    equal |= Halves(a == upper) | Halves(b == upper);
                    far = Halves(a >= upper) | Halves(b >= upper);
                }
                if (!set_lanes(Longs(far) != 0)) break;
            }
            if (__builtin_expect(set_lanes(Longs(equal) != 0) != 0, 0)) {
                Halves c, d;
                halves(group, 2 * draw + 1, c, d);
                for (int k = 0; k < size; k++) {
                    const uint32_t threshold = uint32_t(thresholds[k]);
                    const Halves upper = Halves{} + uint16_t(threshold >> 16), lower = Halves{} + uint16_t(threshold);
                    m -= Halves(a == upper) & Halves(c > lower), n -= Halves(b == upper) & Halves(d > lower);
                }
            }
            for (int quarter = 0; quarter < 4; quarter++) {
                const Longs low = Longs((Words(m) >> (16 * quarter)) & 0xffffu);
                const Longs high = Longs((Words(n) >> (16 * quarter)) & 0xffffu);
                store(row.value + 8 * quarter, __builtin_convertvector(low, Doubles), All{});
                store(row.value + 32 + 8 * quarter, __builtin_convertvector(high, Doubles), All{});
            }
            row.group = group, row.draw = draw;
        }
        return row.value + (i & 63);
    }

    // 64 random halves of words.
    void halves(uint64_t group, uint64_t draw, Halves& a, Halves& b) const
    {
        Words words[4];
        philox(key, 8 * group, draw, step, words);
        a = Halves((words[0] & 0xffffffffu) | (words[1] << 32));
        b = Halves((words[2] & 0xffffffffu) | (words[3] << 32));
    }

    uint64_t next(int64_t i)
    {
        if (i != element) element = i, count = 0;
        return 0x10000 + count++;
    }
};

static thread_local Draws draws;

// Where they are in this thread, as an address that the compiler does not look up again and again.
inline Draws* draws_here()
{
    Draws* here = &draws;
    asm("" : "+r"(here));
    return here;
}

}  // namespace native
