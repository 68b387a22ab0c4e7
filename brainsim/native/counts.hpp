// brainsim.native: how many spikes reach each cell, where all of them bring the same, see rewrites/counts.py.
namespace native {

// A register of the processor: compilers make poor code of vectors that take several.
#if defined(__AVX512BW__)
#define NATIVE_BITS 64
#elif defined(__AVX2__)
#define NATIVE_BITS 32
#else
#define NATIVE_BITS 16
#endif
typedef uint64_t Bits __attribute__((vector_size(NATIVE_BITS)));
enum { WIDE = NATIVE_BITS / 8 };  // words

inline Bits bits_at(const uint64_t* from)
{
    Bits value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

// Sum and carry of three numbers of one bit, for as many cells as the register has bits.
inline void add_bits(Bits& carry, Bits& sum, Bits b, Bits c)
{
    const Bits either = sum ^ b;
    carry = (sum & b) | (either & c);
    sum = either ^ c;
}

// How often each cell is at the other end of a synapse in some runs that arrive. Cells of one run are distinct, so no
// cell is counted more often than there are runs.
template <class Count> struct Counts {
    static constexpr int64_t most = Count(~Count(0));  // runs at a time

    const Arrivals& arrivals;
    const Queue& queue;
    const int64_t from, to;  // only cells from <= cell < to are counted
    Count* counts;           // of cells 0 <= cell < queue.high, and some more

    // For the cells that a thread owns, if several share this.
    Counts(const Arrivals& arrivals, const Task& task, Part part)
        : arrivals(arrivals),
          queue(arrivals.queue),
          from(within(first_of(task, part), queue.low, queue.high)),
          to(within(last_of(task, part, queue.high), from, queue.high))
    {
        static thread_local Scratch<Count> scratch;
        counts = aligned(scratch.room_for(queue.low + 64 * queue.words + 64));
    }

    int64_t last(int64_t first) const { return first + most < arrivals.count ? first + most : arrivals.count; }

    template <class T> static T* aligned(T* from) { return reinterpret_cast<T*>((uintptr_t(from) + 63) & ~uintptr_t(63)); }

    static int64_t within(int64_t cell, int64_t low, int64_t high) { return cell < low ? low : cell > high ? high : cell; }

    void clear() { std::memset(counts + from, 0, size_t(to - from) * sizeof(Count)); }

    // Synapse by synapse, for arrivals first <= arrival < last.
    template <class T> void from_lists(const T* others, int64_t first, int64_t last, Part part)
    {
        clear();
        const Blocks blocks(queue, part, false);
        for (int64_t block = blocks.first; block < blocks.last; block++) {
            for (int64_t arrival = first; arrival < last; arrival++) {
                int64_t begin, end;
                arrivals.part(others, arrival, block, begin, end);
                arrivals.prefetch(others, others, arrival + arrivals.ahead, block);
                add_list(counts, others + begin, end - begin);
            }
        }
    }

    // From what was carried along with the spikes: the same cells, one list for all runs.
    template <class T> void from_carried(const T*)
    {
        clear();
        const Carried& carried = queue.carried[queue.offset];
        add_list(counts, reinterpret_cast<const T*>(carried.cells), carried.count);
    }

    template <class T> static void add_list(Count* __restrict count, const T* __restrict cells, int64_t size)
    {
        int64_t i = 0;
        for (; i + 8 <= size; i += 8) {
            count[cells[i]]++, count[cells[i + 1]]++, count[cells[i + 2]]++, count[cells[i + 3]]++;
            count[cells[i + 4]]++, count[cells[i + 5]]++, count[cells[i + 6]]++, count[cells[i + 7]]++;
        }
        for (; i < size; i++) count[cells[i]]++;
    }

    // From bitmaps, eight at a time: up to 512 cells are added in one instruction, one bit of their counts after the
    // other.
    void from_bitmaps(int64_t first, int64_t last)
    {
        static thread_local Scratch<uint64_t> scratch;
        const int64_t words = queue.words, start = (from - queue.low) / 512 * 8, end = (to - queue.low + 511) / 512 * 8;
        uint64_t* const planes = aligned(scratch.room_for(9 * words + 8));  // bit k of the counts of all cells
        uint64_t* const none = planes + 8 * words;
        std::memset(none, 0, size_t(words) * 8);
        const auto row = [&](int64_t arrival) {
            return arrival < last ? queue.bitmap + arrivals.list[arrival] * words : none;
        };
        const auto put = [](uint64_t* to, Bits value) { std::memcpy(to, &value, sizeof value); };
        int64_t used = 4;
        for (int64_t arrival = first; arrival < last; arrival += 8) {
            const uint64_t *rows[8], *next[8];
            for (int i = 0; i < 8; i++) rows[i] = row(arrival + i), next[i] = row(arrival + 8 + i);
            const bool fresh = arrival == first;
            const int64_t before = used;
            while ((int64_t(1) << used) <= arrival - first + 8 && used < 8) used++;
            for (int64_t at = start; at < end; at += WIDE) {
                for (int i = 0; i < 8; i++) __builtin_prefetch(next[i] + at);
                const auto bits = [&](int i) { return bits_at(rows[i] + at); };
                uint64_t* const plane = planes + at;
                Bits ones{}, twos{}, fours{}, a, b, c, d, eights;
                if (!fresh) ones = bits_at(plane), twos = bits_at(plane + words), fours = bits_at(plane + 2 * words);
                add_bits(a, ones, bits(0), bits(1)), add_bits(b, ones, bits(2), bits(3)), add_bits(c, twos, a, b);
                add_bits(a, ones, bits(4), bits(5)), add_bits(b, ones, bits(6), bits(7)), add_bits(d, twos, a, b);
                add_bits(eights, fours, c, d);
                put(plane, ones), put(plane + words, twos), put(plane + 2 * words, fours);
                if (fresh) put(plane + 3 * words, eights);
                for (int64_t k = 3; k < used && !fresh; k++) {
                    const Bits higher = k < before ? bits_at(plane + k * words) : Bits{};
                    put(plane + k * words, higher ^ eights);
                    eights &= higher;
                }
            }
        }
        // Cell c of 512 is bit c / 64 of byte c % 64, so that the bits of 64 cells are unpacked by a shift.
        for (int64_t at = start; at < end; at += WIDE) {
            for (int64_t bit = 0; bit < 8; bit++) {
                Bits count{};
                for (int64_t k = 0; k < used; k++) {
                    count |= ((bits_at(planes + k * words + at) >> bit) & 0x0101010101010101u) << k;
                }
                std::memcpy(counts + queue.low + 64 * (at / 8 * 8 + bit) + at % 8 * 8, &count, sizeof count);
            }
        }
    }

    // values[cell] += count * change, where `guard` is true (null: everywhere).
    template <class T> void add(T* values, T change, const char* guard) const
    {
        if (guard == nullptr)
            add_to<false>(values + from, change, guard, counts + from, to - from);
        else
            add_to<true>(values + from, change, guard + from, counts + from, to - from);
    }

    template <class T> using Eight __attribute__((vector_size(8 * sizeof(T)))) = T;

    // (A loop: compilers make one instruction of it, which they do not of __builtin_convertvector.)
    template <class T> static Eight<T> widened(const Count* from)
    {
        Eight<T> value;
        for (int lane = 0; lane < 8; lane++) value[lane] = T(int(from[lane]));
        return value;
    }

    template <bool guarded, class T>
    static void add_to(T* __restrict values, T change, const char* guard, const Count* count, int64_t size)
    {
        typedef int64_t Lanes __attribute__((vector_size(64)));
        const Lanes bytes = {255, 255l << 8, 255l << 16, 255l << 24, 255l << 32, 255l << 40, 255l << 48, -1l << 56};
        int64_t cell = 0;
#if NATIVE_BITS == 64
        for (; cell + 8 <= size; cell += 8) {
            Eight<T> before, after;
            std::memcpy(&before, values + cell, sizeof before);
            after = before + widened<T>(count + cell) * change;
            if (guarded) {
                int64_t word;
                std::memcpy(&word, guard + cell, 8);
                const Lanes set = ((Lanes{} + word) & bytes) != 0;  // each lane looks at its byte
                after = __builtin_convertvector(set, decltype(before < after)) != 0 ? after : before;
            }
            std::memcpy(values + cell, &after, sizeof after);
        }
#endif
        for (; cell < size; cell++) {
            const T after = values[cell] + T(int(count[cell])) * change;
            values[cell] = !guarded || guard[cell] ? after : values[cell];
        }
    }
};

}  // namespace native
