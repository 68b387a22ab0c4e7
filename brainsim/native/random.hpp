// brainsim.native: random numbers that depend on what they are for, not on what was drawn before.
//
// Philox 4x32-10 (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3): a block of four words is a function
// of a key (seed and object) and a counter (element, draw, time step). So numbers are the same for any number of
// threads, in loops over vectors of any width and one by one. Blocks are made for eight counters and kept until they are
// used up.
namespace native {

// The low halves of `a` times `factor`.
inline Words product(Words a, uint64_t factor)
{
#if defined(__clang__) || !defined(__SSE2__)
    return (a & 0xffffffffu) * factor;
#else
    typedef int Halves __attribute__((vector_size(WIDTH)));
    const Halves x = Halves(a), y = Halves(Words{} + factor);
#if NATIVE_WIDTH == 64
    typedef long long Products __attribute__((vector_size(64)));
    return Words(__builtin_ia32_pmuludq512_mask(x, y, Products{}, (unsigned char)255));
#elif NATIVE_WIDTH == 32
    return Words(__builtin_ia32_pmuludq256(x, y));
#else
    return Words(__builtin_ia32_pmuludq128(x, y));
#endif
#endif
}

// Blocks for the counters (first + lane, draw, step); the upper halves of the words hold rubbish.
inline void philox(uint64_t key, uint64_t first, uint64_t draw, uint64_t step, Words out[4])
{
    static const uint64_t lanes[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    Words a = load<Words>(lanes) + first, b = Words{} + draw;
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
    // Numbers in a row, for elements 16 * group and on.
    struct Row {
        uint64_t group, draw;
        alignas(64) double value[16];
    };
    // The same for elements 64 * group and on.
    struct Counts {
        uint64_t group, draw;
        const double* table;
        alignas(64) uint16_t value[64];
    };

    uint64_t key, step;
    int64_t element;  // of the draws that are counted: those of functions, which may draw any number of times
    uint64_t count;
    Row uniforms[4], normals[4];
    Counts counts[2];
    const double* tabled;  // the table that is split up here:
    alignas(64) uint16_t upper[32], lower[32], other[32];

    void begin(const Random& random, uint64_t stream)
    {
        uint64_t mixed = (random.key ^ stream) + 0x9E3779B97F4A7C15u;  // splitmix64
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
        key = mixed ^ (mixed >> 31), step = random.step, element = -2;
        for (int i = 0; i < 4; i++) uniforms[i].group = normals[i].group = ~uint64_t(0);
        counts[0].group = counts[1].group = ~uint64_t(0), tabled = nullptr;
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
            for (int lane = 0; lane < 8; lane += LANES) {
                Words words[4];
                philox(key, 8 * group + lane, 2 * draw, step, words);
                store(value + lane, fraction(words[0], words[1]), All{});
                store(value + 8 + lane, fraction(words[2], words[3]), All{});
            }
        });
    }

    double* normal(uint64_t i, uint64_t draw)  // Box and Muller
    {
        return row(normals, 3, i, draw, [=](uint64_t group, double* value) {
            for (int lane = 0; lane < 8; lane += LANES) {
                Words words[4];
                philox(key, 8 * group + lane, 2 * draw + 1, step, words);
                const Doubles square = -2.0 * log_of_positive(1.0 - fraction(words[0], words[1]));
                Doubles sine, cosine;
                const Doubles length = each(square, [](double x) { return std::sqrt(x); });
                sine_and_cosine_of_turns(fraction(words[2], words[3]), sine, cosine);
                store(value + lane, sine * length, All{});
                store(value + 8 + lane, cosine * length, All{});
            }
        });
    }

    // Numbers of a distribution of at most 32 outcomes (Walker 1977, with Vose's tables). A half word of random bits
    // holds the column of the table (5 bits) and what is compared with the column's share (11 bits). Where these are
    // equal, another half word decides. An entry of the table is 64 * share + other, with shares of 2^27.
    const uint16_t* number(uint64_t i, uint64_t draw, const double* table)
    {
        Counts& row = counts[draw & 1];
        const uint64_t group = (i & 0xffffffffu) >> 6;
        if (__builtin_expect(row.group != group || row.draw != draw || row.table != table, 0)) {
            if (tabled != table) read_table(table);
            fill(group, draw, row.value);
            row.group = group, row.draw = draw, row.table = table;
        }
        return row.value + (i & 63);
    }

    void read_table(const double* table)
    {
        for (int column = 0; column < 32; column++) {
            const int64_t entry = int64_t(table[column]);
            upper[column] = uint16_t(entry >> 22), lower[column] = uint16_t(entry >> 6), other[column] = entry & 63;
        }
        tabled = table;
    }

    void fill(uint64_t group, uint64_t draw, uint16_t* value) const
    {
        uint16_t random[64];
        halves(group, 2 * draw, random);
        bool open = false;
#if NATIVE_WIDTH == 64 && !defined(__clang__)
        typedef short Shorts __attribute__((vector_size(64)));
        typedef uint16_t Halves __attribute__((vector_size(64)));
        const Shorts uppers = load<Shorts>(upper), others = load<Shorts>(other);
        uint32_t equal = 0;
        for (int i = 0; i < 64; i += 32) {
            const Halves half = load<Halves>(random + i), share = half >> 5;
            const Shorts column = Shorts(half & 31);
            const Shorts limit = __builtin_ia32_permvarhi512_mask(uppers, column, Shorts{}, ~0u);
            const Shorts second = __builtin_ia32_permvarhi512_mask(others, column, Shorts{}, ~0u);
            store(value + i, Shorts(share) < limit ? column : second, All{});
            equal |= __builtin_ia32_cvtw2mask512(Shorts(share) == limit);
        }
        open = equal != 0;
#else
        for (int i = 0; i < 64; i++) {
            const uint16_t column = random[i] & 31, share = random[i] >> 5;
            value[i] = share < upper[column] ? column : other[column];
            open |= share == upper[column];
        }
#endif
        if (__builtin_expect(open, 0)) {
            uint16_t more[64];
            halves(group, 2 * draw + 1, more);
            for (int i = 0; i < 64; i++) {
                const uint16_t column = random[i] & 31;
                if (random[i] >> 5 == upper[column] && more[i] < lower[column]) value[i] = column;
            }
        }
    }

    // 64 random halves of words.
    void halves(uint64_t group, uint64_t draw, uint16_t* to) const
    {
        for (int lane = 0; lane < 8; lane += LANES) {
            Words words[4];
            philox(key, 8 * group + lane, draw, step, words);
            store(to + 4 * lane, (words[0] & 0xffffffffu) | (words[1] << 32), All{});
            store(to + 32 + 4 * lane, (words[2] & 0xffffffffu) | (words[3] << 32), All{});
        }
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

// Numbers as a vector of them, or of floats.
template <class V> inline V rounded(const double* from)
{
    V value;
    if constexpr (std::is_same<V, Doubles>::value) {
        value = load<Doubles>(from);
    } else if constexpr (std::is_same<V, Floats>::value) {
        value = __builtin_convertvector(load<Doubles>(from), Floats);
    } else {
        const Floats half[2] = {rounded<Floats>(from), rounded<Floats>(from + LANES)};
        std::memcpy(&value, half, sizeof value);
    }
    return value;
}

typedef uint16_t Shorts __attribute__((vector_size(2 * LANES)));
typedef uint16_t PackedShorts __attribute__((vector_size(2 * PACKED)));

// Whole numbers of 16 bits as a vector of others.
template <class V> inline V widened(const uint16_t* from)
{
    V value;
#if NATIVE_WIDTH == 64 && !defined(__clang__)
    // Compilers take the halves of such a vector one by one.
    typedef short Eight __attribute__((vector_size(16)));
    typedef int Wide __attribute__((vector_size(32)));
    if constexpr (std::is_same<V, Doubles>::value) {
        const Wide wide = __builtin_ia32_pmovzxwd256(load<Eight>(from));
        return __builtin_ia32_cvtdq2pd512_mask(wide, V{}, (unsigned char)255);
    }
#endif
    if constexpr (lanes_of<V> < 4) {
        for (int lane = 0; lane < lanes_of<V>; lane++) value[lane] = from[lane];
    } else {
        constexpr bool packed = lanes_of<V> == PACKED;
        using From = typename std::conditional<packed, PackedShorts, Shorts>::type;
        using Wholes = typename std::conditional<packed, PackedInts, Ints>::type;
        value = __builtin_convertvector(__builtin_convertvector(load<From>(from), Wholes), V);
    }
    return value;
}

}  // namespace native
