// brainsim.native: how many spikes reach each cell, where all of them bring the same, see rewrites/counts.py.
namespace native {

// Sum and carry of three times 512 bits.
inline void add_bits(Words& carry, Words& sum, Words b, Words c)
{
    const Words either = sum ^ b;
    carry = (sum & b) | (either & c);
    sum = either ^ c;
}

// For at most `most` runs at a time: how often each cell is at the other end of a synapse. Cells of one run are distinct.
struct Counts {
    enum { most = 255 };

    const Arrivals& arrivals;
    const Queue& queue;
    uint8_t* counts;   // of cells 0 <= cell < queue.high, and some more
    uint64_t* planes;  // bit k of the counts of all cells, one after the other; then a row of zeros

    explicit Counts(const Arrivals& arrivals) : arrivals(arrivals), queue(arrivals.queue)
    {
        static thread_local Scratch<uint8_t> of_counts;
        static thread_local Scratch<uint64_t> of_planes;
        counts = aligned(of_counts.room_for(queue.low + 64 * queue.words + 64));
        planes = aligned(of_planes.room_for(9 * queue.words + 8));
    }

    template <class T> static T* aligned(T* from) { return reinterpret_cast<T*>((uintptr_t(from) + 63) & ~uintptr_t(63)); }

    // Synapse by synapse, for arrivals first <= arrival < last.
    template <class T> void from_lists(const T* others, int64_t first, int64_t last)
    {
        uint8_t* const count = counts;
        std::memset(count + queue.low, 0, size_t(queue.high - queue.low));
        for (int64_t arrival = first; arrival < last; arrival++) {
            arrivals.prefetch(others, others, arrival + arrivals.ahead, Arrivals::all);
            const int64_t end = arrivals.end(arrival);
#pragma GCC unroll 8
            for (int64_t place = arrivals.begin(arrival); place < end; place++) count[others[place]]++;
        }
    }

    // From bitmaps, eight at a time: 512 cells are added in one instruction, one bit of their counts after the other.
    void from_bitmaps(int64_t first, int64_t last)
    {
        const int64_t words = queue.words;
        uint64_t* const none = planes + 8 * words;
        std::memset(none, 0, size_t(words) * 8);
        const auto row = [&](int64_t arrival) {
            return arrival < last ? queue.bitmap + arrivals.list[arrival] * words : none;
        };
        int64_t used = 4;
        for (int64_t arrival = first; arrival < last; arrival += 8) {
            const uint64_t *rows[8], *next[8];
            for (int i = 0; i < 8; i++) rows[i] = row(arrival + i), next[i] = row(arrival + 8 + i);
            const bool fresh = arrival == first;
            const int64_t before = used;
            while ((int64_t(1) << used) <= arrival - first + 8 && used < 8) used++;
            for (int64_t at = 0; at < words; at += 8) {
                for (int i = 0; i < 8; i++) __builtin_prefetch(next[i] + at);
                const auto bits = [&](int i) { return load<Words>(rows[i] + at); };
                uint64_t* const plane = planes + at;
                Words ones{}, twos{}, fours{}, a, b, c, d, eights;
                if (!fresh) {
                    ones = load<Words>(plane), twos = load<Words>(plane + words);
                    fours = load<Words>(plane + 2 * words);
                }
                add_bits(a, ones, bits(0), bits(1)), add_bits(b, ones, bits(2), bits(3)), add_bits(c, twos, a, b);
                add_bits(a, ones, bits(4), bits(5)), add_bits(b, ones, bits(6), bits(7)), add_bits(d, twos, a, b);
                add_bits(eights, fours, c, d);
                store(plane, ones, All{}), store(plane + words, twos, All{}), store(plane + 2 * words, fours, All{});
                if (fresh) store(plane + 3 * words, eights, All{});
                for (int64_t k = 3; k < used && !fresh; k++) {
                    const Words higher = k < before ? load<Words>(plane + k * words) : Words{};
                    store(plane + k * words, higher ^ eights, All{});
                    eights &= higher;
                }
            }
        }
        // Cell c of 512 is bit c / 64 of byte c % 64, so that the bits of 64 cells are unpacked by a shift.
        for (int64_t at = 0; at < words; at += 8) {
            for (int64_t bit = 0; bit < 8; bit++) {
                Words count{};
                for (int64_t k = 0; k < used; k++) {
                    count |= ((load<Words>(planes + k * words + at) >> bit) & 0x0101010101010101u) << k;
                }
                store(counts + queue.low + 64 * (at + bit), count, All{});
            }
        }
    }

    // to[cell] += count * change, where `guard` is true (null: everywhere).
    template <class V, class T> void add(T* to, T change, const char* guard) const
    {
        const int64_t low = queue.low;
        const uint8_t* const count = counts;
        if (guard == nullptr) {
            in_vectors(queue.high - low, [=](const int64_t i, auto lanes) {
                const int64_t cell = low + i;
                store(to + cell, load<V>(to + cell, lanes) + widened<V>(count + cell) * change, lanes);
            });
        } else {
            in_vectors(queue.high - low, [=](const int64_t i, auto lanes) {
                const int64_t cell = low + i;
                const V before = load<V>(to + cell, lanes);
                const V after = before + widened<V>(count + cell) * change;
                store(to + cell, load_mask<decltype(before < after)>(guard + cell, lanes) != 0 ? after : before, lanes);
            });
        }
    }

    // (A loop: compilers make one instruction of it, which they do not of __builtin_convertvector.)
    template <class V> static V widened(const uint8_t* from)
    {
        V value;
        for (int lane = 0; lane < 8; lane++) value[lane] = int(from[lane]);  // there are always eight
        return value;
    }
};

}  // namespace native
