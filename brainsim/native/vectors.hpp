// brainsim.native: vectors of numbers, and functions of them, for compilers that know vector extensions (g++, clang++).
//
// A vector fills a register of the processor: LANES numbers of 64 bits, as many of 32 bits where a loop has both, or
// twice as many where it has only those ("packed"). Compilers make poor code of vectors that take several registers.
// Arithmetic is IEEE's, lane by lane, so it gives what a loop over scalars gives, bit for bit, whatever the width.
// exp and its kin are our own; docs/native.md says how far they may be from the exact value.
#include <type_traits>

#if defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define NATIVE_WIDTH 64
#elif defined(__AVX2__)
#define NATIVE_WIDTH 32
#else
#define NATIVE_WIDTH 16
#endif

namespace native {

enum { WIDTH = NATIVE_WIDTH, LANES = WIDTH / 8, PACKED = WIDTH / 4 };

typedef double Doubles __attribute__((vector_size(WIDTH)));
typedef float Floats __attribute__((vector_size(WIDTH / 2)));
typedef int64_t Longs __attribute__((vector_size(WIDTH)));
typedef uint64_t Words __attribute__((vector_size(WIDTH)));
typedef int32_t Ints __attribute__((vector_size(WIDTH / 2)));
typedef float PackedFloats __attribute__((vector_size(WIDTH)));
typedef int32_t PackedInts __attribute__((vector_size(WIDTH)));
typedef char Bytes __attribute__((vector_size(LANES)));
typedef char PackedBytes __attribute__((vector_size(PACKED)));

template <class V> using lane_of = typename std::decay<decltype(V{}[0])>::type;
template <class V> constexpr int lanes_of = sizeof(V) / sizeof(lane_of<V>);

inline Doubles doubles(double value) { return Doubles{} + value; }
inline Longs bits(Doubles value) { return reinterpret_cast<Longs>(value); }
inline Doubles from_bits(Longs value) { return reinterpret_cast<Doubles>(value); }

// How many lanes are in use: all of them, or (at the end of an array) the first few.
struct All {};
template <class V> inline int64_t lanes_in_use(All) { return lanes_of<V>; }
template <class V> inline int64_t lanes_in_use(int64_t lanes) { return lanes; }

// The lanes whose mask is set, as one bit each.
inline uint64_t mask_bits(const Longs& mask)
{
#if defined(__clang__) || !defined(__SSE2__)
    uint64_t found = 0;
    for (int lane = 0; lane < LANES; lane++) found |= uint64_t(mask[lane] & 1) << lane;
    return found;
#elif NATIVE_WIDTH == 64
    typedef long long Wide __attribute__((vector_size(64)));
    return uint8_t(__builtin_ia32_cvtq2mask512(Wide(mask)));
#elif NATIVE_WIDTH == 32
    return uint64_t(__builtin_ia32_movmskpd256(reinterpret_cast<Doubles>(mask)));
#else
    return uint64_t(__builtin_ia32_movmskpd(reinterpret_cast<Doubles>(mask)));
#endif
}
inline uint64_t mask_bits(const PackedInts& mask)
{
#if defined(__clang__) || !defined(__SSE2__)
    uint64_t found = 0;
    for (int lane = 0; lane < PACKED; lane++) found |= uint64_t(mask[lane] & 1) << lane;
    return found;
#elif NATIVE_WIDTH == 64
    return uint16_t(__builtin_ia32_cvtd2mask512(mask));
#elif NATIVE_WIDTH == 32
    return uint64_t(__builtin_ia32_movmskps256(reinterpret_cast<PackedFloats>(mask)));
#else
    return uint64_t(__builtin_ia32_movmskps(reinterpret_cast<PackedFloats>(mask)));
#endif
}
inline uint64_t mask_bits(const Ints& mask) { return mask_bits(__builtin_convertvector(mask, Longs)); }

template <class V, class Lanes> inline uint64_t lane_bits(const V& mask, Lanes lanes)
{
    return mask_bits(mask) & ((uint64_t(1) << lanes_in_use<V>(lanes)) - 1);
}

template <class V> inline bool all_set(const V& mask)
{
    return mask_bits(mask) == (uint64_t(1) << lanes_of<V>) - 1;
}

// a * b + c, rounded once where the processor can (an x86 with FMA), else twice. Only in exp, whose last bits are ours.
template <class V> inline V multiply_add(const V& a, const V& b, const V& c)
{
#if defined(__FMA__) && !defined(__clang__)
    constexpr bool doubles = std::is_same<lane_of<V>, double>::value;
#if NATIVE_WIDTH == 64
    if constexpr (sizeof(V) == 64 && doubles) return __builtin_ia32_vfmaddpd512_mask(a, b, c, (unsigned char)255, 4);
    if constexpr (sizeof(V) == 64 && !doubles) return __builtin_ia32_vfmaddps512_mask(a, b, c, (unsigned short)65535, 4);
#endif
    if constexpr (sizeof(V) == 32 && doubles) return __builtin_ia32_vfmaddpd256(a, b, c);
    if constexpr (sizeof(V) == 32 && !doubles) return __builtin_ia32_vfmaddps256(a, b, c);
    if constexpr (sizeof(V) == 16 && doubles) return __builtin_ia32_vfmaddpd(a, b, c);
    if constexpr (sizeof(V) == 16 && !doubles) return __builtin_ia32_vfmaddps(a, b, c);
#endif
#if defined(__FMA__)
    V value;
    for (int lane = 0; lane < lanes_of<V>; lane++) {
        if constexpr (std::is_same<lane_of<V>, double>::value)
            value[lane] = __builtin_fma(a[lane], b[lane], c[lane]);
        else
            value[lane] = __builtin_fmaf(a[lane], b[lane], c[lane]);
    }
    return value;
#else
    return a * b + c;
#endif
}
template <class V> inline V multiply_add(const V& a, const V& b, lane_of<V> c) { return multiply_add(a, b, V{} + c); }
template <class V> inline V multiply_add(const V& a, lane_of<V> b, const V& c) { return multiply_add(a, V{} + b, c); }
template <class V> inline V multiply_add(const V& a, lane_of<V> b, lane_of<V> c)
{
    return multiply_add(a, V{} + b, V{} + c);
}

// The larger and the smaller of two numbers; x, where one of them is no number. (Where compilers are not told so, they
// compare and choose.)
template <class V> inline V at_least(const V& low, const V& x)
{
#if defined(__SSE2__) && !defined(__clang__)
    constexpr bool doubles = std::is_same<lane_of<V>, double>::value;
#if NATIVE_WIDTH == 64
    if constexpr (sizeof(V) == 64 && doubles) return __builtin_ia32_maxpd512_mask(low, x, V{}, (unsigned char)255, 4);
    if constexpr (sizeof(V) == 64 && !doubles) return __builtin_ia32_maxps512_mask(low, x, V{}, (unsigned short)65535, 4);
#endif
#if NATIVE_WIDTH >= 32
    if constexpr (sizeof(V) == 32 && doubles) return __builtin_ia32_maxpd256(low, x);
    if constexpr (sizeof(V) == 32 && !doubles) return __builtin_ia32_maxps256(low, x);
#endif
    if constexpr (sizeof(V) == 16 && doubles) return __builtin_ia32_maxpd(low, x);
    if constexpr (sizeof(V) == 16 && !doubles) return __builtin_ia32_maxps(low, x);
#endif
    return x < low ? low : x;
}
template <class V> inline V at_most(const V& high, const V& x)
{
#if defined(__SSE2__) && !defined(__clang__)
    constexpr bool doubles = std::is_same<lane_of<V>, double>::value;
#if NATIVE_WIDTH == 64
    if constexpr (sizeof(V) == 64 && doubles) return __builtin_ia32_minpd512_mask(high, x, V{}, (unsigned char)255, 4);
    if constexpr (sizeof(V) == 64 && !doubles) return __builtin_ia32_minps512_mask(high, x, V{}, (unsigned short)65535, 4);
#endif
#if NATIVE_WIDTH >= 32
    if constexpr (sizeof(V) == 32 && doubles) return __builtin_ia32_minpd256(high, x);
    if constexpr (sizeof(V) == 32 && !doubles) return __builtin_ia32_minps256(high, x);
#endif
    if constexpr (sizeof(V) == 16 && doubles) return __builtin_ia32_minpd(high, x);
    if constexpr (sizeof(V) == 16 && !doubles) return __builtin_ia32_minps(high, x);
#endif
    return x > high ? high : x;
}
// As numpy does it, also where `high` is below `low`.
template <class V> inline V clipped(V x, V low, V high) { return at_most(high, at_least(low, x)); }

// total += value, in the lanes whose bits are set.
inline void add_where(Doubles& total, uint64_t lanes, double value)
{
#if NATIVE_WIDTH == 64 && !defined(__clang__)
    total = __builtin_ia32_addpd512_mask(total, Doubles{} + value, total, (unsigned char)lanes, 4);
#else
    for (int lane = 0; lane < LANES; lane++) total[lane] = lanes >> lane & 1 ? total[lane] + value : total[lane];
#endif
}

// exp: 2^n * e^r with |r| <= ln(2)/2. (e^r - 1 - r) / r^2 is a polynomial of degree 9 through its values at Chebyshev's
// points, which is right to 2e-17. Zero below -745.2, infinite above 709.8.
inline Doubles exp(Doubles x)
{
    const Doubles within = clipped(x, doubles(-746.0), doubles(710.0));
    const Doubles shifted = multiply_add(within, 0x1.71547652b82fep0, 0x1.8p52);  // to the nearest whole number
    const Doubles n = shifted - 0x1.8p52;
    const Doubles r = multiply_add(n, -0x1.a39ef35793c76p-33, multiply_add(n, -0x1.62e42feep-1, within)), z = r * r;
    Doubles even = multiply_add(z, 0x1.2891a8c1d838dp-22, 0x1.a019b8ef67c6cp-16);
    Doubles odd = multiply_add(z, 0x1.af38d53857513p-26, 0x1.71de0d9c145d0p-19);
    even = multiply_add(even, z, 0x1.6c16c17893833p-10), odd = multiply_add(odd, z, 0x1.a01a01a7c8d47p-13);
    even = multiply_add(even, z, 0x1.5555555553d4fp-5), odd = multiply_add(odd, z, 0x1.11111111109adp-7);
    even = multiply_add(even, z, 0x1.0000000000001p-1), odd = multiply_add(odd, z, 0x1.5555555555556p-3);
    const Doubles power = 1.0 + multiply_add(z, multiply_add(r, odd, even), r);
#if NATIVE_WIDTH == 64 && !defined(__clang__)
    return __builtin_ia32_scalefpd512_mask(power, n, Doubles{}, (unsigned char)255, 4);
#else
    // in two steps, so that neither factor leaves the range of numbers
    const Longs whole = bits(shifted) - bits(doubles(0x1.8p52));
    const Longs half = whole >> 1;
    return (power * from_bits((half + 1023) << 52)) * from_bits((whole - half + 1023) << 52);
#endif
}

template <class Floats, class Ints> inline Floats exp_of_floats(Floats x)
{
    const Floats within = clipped(x, Floats{} - 104.0f, Floats{} + 89.0f);
    const Floats shifted = multiply_add(within, 0x1.715476p0f, 0x1.8p23f);
    const Floats n = shifted - 0x1.8p23f;
    const Floats r = multiply_add(n, -0x1.7f7d1cp-20f, multiply_add(n, -0x1.62e4p-1f, within));
    Floats p = multiply_add(r, 1.0f / 5040, 1.0f / 720);
    p = multiply_add(p, r, 1.0f / 120);
    p = multiply_add(p, r, 1.0f / 24);
    p = multiply_add(p, r, 1.0f / 6);
    p = multiply_add(p, r, 0.5f);
    const Floats power = 1.0f + multiply_add(r * r, p, r);
#if NATIVE_WIDTH == 64 && !defined(__clang__)
    if constexpr (sizeof(Floats) == 64)
        return __builtin_ia32_scalefps512_mask(power, n, Floats{}, (unsigned short)65535, 4);
#endif
    const Ints whole = reinterpret_cast<Ints>(shifted) - reinterpret_cast<Ints>(Floats{} + 0x1.8p23f);
    const Ints half = whole >> 1;
    return (power * reinterpret_cast<Floats>((half + 127) << 23)) * reinterpret_cast<Floats>((whole - half + 127) << 23);
}
inline Floats exp(Floats x) { return exp_of_floats<Floats, Ints>(x); }
inline PackedFloats exp(PackedFloats x) { return exp_of_floats<PackedFloats, PackedInts>(x); }

// The natural logarithm of a positive normal number.
inline Doubles log_of_positive(Doubles x)
{
    const Longs above = (bits(x) - bits(doubles(0x1.6a09e667f3bcdp-1)));
    const Longs exponent = above >> 52;
    const Doubles f = from_bits(bits(x) - (exponent << 52)) - 1.0;  // 1 + f is from sqrt(1/2) to sqrt(2)
    const Doubles n = __builtin_convertvector(exponent, Doubles);
    const Doubles s = f / (2.0 + f), z = s * s, half = 0.5 * f * f;
    Doubles p = z * (1.0 / 23) + 1.0 / 21;
    p = p * z + 1.0 / 19;
    p = p * z + 1.0 / 17;
    p = p * z + 1.0 / 15;
    p = p * z + 1.0 / 13;
    p = p * z + 1.0 / 11;
    p = p * z + 1.0 / 9;
    p = p * z + 1.0 / 7;
    p = p * z + 1.0 / 5;
    p = p * z + 1.0 / 3;
    return n * 0x1.62e42feep-1 - ((half - (s * (half + 2.0 * z * p) + n * 0x1.a39ef35793c76p-33)) - f);
}

inline Doubles log(Doubles x)
{
    const Longs ordinary = (x >= 0x1p-1022) & (x < INFINITY);
    Doubles found = log_of_positive(x);
    if (all_set(ordinary)) return found;
    for (int lane = 0; lane < LANES; lane++)
        if (!ordinary[lane]) found[lane] = std::log(x[lane]);
    return found;
}

// Sine and cosine of 2 pi u, for 0 <= u < 1.
inline void sine_and_cosine_of_turns(Doubles u, Doubles& sine, Doubles& cosine)
{
    const Doubles shifted = 4.0 * u + 0x1.8p52;
    const Longs quarter = bits(shifted) & 3;
    const Doubles x = (4.0 * u - (shifted - 0x1.8p52)) * 0x1.921fb54442d18p0, z = x * x;
    Doubles s = z * (-1.0 / 1307674368000.0) + 1.0 / 6227020800.0;
    s = s * z - 1.0 / 39916800.0;
    s = s * z + 1.0 / 362880.0;
    s = s * z - 1.0 / 5040.0;
    s = s * z + 1.0 / 120.0;
    s = s * z - 1.0 / 6.0;
    s = x + x * z * s;
    Doubles c = z * (1.0 / 20922789888000.0) - 1.0 / 87178291200.0;
    c = c * z + 1.0 / 479001600.0;
    c = c * z - 1.0 / 3628800.0;
    c = c * z + 1.0 / 40320.0;
    c = c * z - 1.0 / 720.0;
    c = c * z + 1.0 / 24.0;
    c = 1.0 - 0.5 * z + z * z * c;
    const Doubles a = (quarter & 1) != 0 ? c : s, b = (quarter & 1) != 0 ? s : c;
    sine = (quarter & 2) != 0 ? -a : a;
    cosine = ((quarter + 1) & 2) != 0 ? -b : b;
}

template <class V, class T> inline V load(const T* from, All = {})
{
    V value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

// Lanes that are not in use repeat the first. (Loops: memcpy of a size that is not known would be a call.)
template <class V, class T> inline V load(const T* from, int64_t lanes)
{
#if NATIVE_WIDTH == 64
    // A mask of the lanes in use: the processor does not touch the memory of the others.
    typedef long long Wide __attribute__((vector_size(64)));
    typedef int Packed __attribute__((vector_size(64)));
    typedef int Half __attribute__((vector_size(32)));
    const V first = V{} + from[0];
    const unsigned mask = (1u << lanes) - 1;
    if constexpr (sizeof(T) == 8 && sizeof(V) == 64)
        return V(__builtin_ia32_loaddqudi512_mask(reinterpret_cast<const long long*>(from), Wide(first), uint8_t(mask)));
    if constexpr (sizeof(T) == 4 && sizeof(V) == 64)
        return V(__builtin_ia32_loaddqusi512_mask(reinterpret_cast<const int*>(from), Packed(first), uint16_t(mask)));
    if constexpr (sizeof(T) == 4 && sizeof(V) == 32)
        return V(__builtin_ia32_loaddqusi256_mask(reinterpret_cast<const int*>(from), Half(first), uint8_t(mask)));
#endif
    V value;
    for (int lane = 0; lane < lanes_of<V>; lane++) value[lane] = from[lane < lanes ? lane : 0];
    return value;
}

template <class V, class T> inline void store(T* to, const V& value, All) { std::memcpy(to, &value, sizeof value); }

template <class V, class T> inline void store(T* to, const V& value, int64_t lanes)
{
#if NATIVE_WIDTH == 64
    typedef long long Wide __attribute__((vector_size(64)));
    typedef int Packed __attribute__((vector_size(64)));
    typedef int Half __attribute__((vector_size(32)));
    const unsigned mask = (1u << lanes) - 1;
    if constexpr (sizeof(T) == 8 && sizeof(V) == 64)
        return __builtin_ia32_storedqudi512_mask(reinterpret_cast<long long*>(to), Wide(value), uint8_t(mask));
    if constexpr (sizeof(T) == 4 && sizeof(V) == 64)
        return __builtin_ia32_storedqusi512_mask(reinterpret_cast<int*>(to), Packed(value), uint16_t(mask));
    if constexpr (sizeof(T) == 4 && sizeof(V) == 32)
        return __builtin_ia32_storedqusi256_mask(reinterpret_cast<int*>(to), Half(value), uint8_t(mask));
#endif
    for (int lane = 0; lane < lanes; lane++) to[lane] = value[lane];
}

// One value for each lane, so many places apart.
template <class V, class T> inline V load_strided(const T* from, int64_t apart, All)
{
    if constexpr (lanes_of<V> == 8)
        return V{from[0], from[apart], from[2 * apart], from[3 * apart],
                 from[4 * apart], from[5 * apart], from[6 * apart], from[7 * apart]};
    V value;
    for (int lane = 0; lane < lanes_of<V>; lane++) value[lane] = from[lane * apart];
    return value;
}

template <class V, class T> inline V load_strided(const T* from, int64_t apart, int64_t lanes)
{
    V value;
    for (int lane = 0; lane < lanes_of<V>; lane++) value[lane] = from[(lane < lanes ? lane : 0) * apart];
    return value;
}

template <class V, class T, class Lanes>
inline void store_strided(T* to, int64_t apart, const V& value, Lanes lanes)
{
    for (int lane = 0; lane < lanes_in_use<V>(lanes); lane++) to[lane * apart] = value[lane];
}

// Truth values: bytes in memory, all bits of a lane in vectors.
template <class V> inline V load_mask(const char* from, All)
{
#if NATIVE_WIDTH == 64
    if constexpr (lanes_of<V> == 8) {
        // Each lane looks at its byte of the eight: compilers make more of this than of widening bytes.
        const Longs all = Longs{} + load<int64_t>(from);
        const Longs bytes = {255, 255l << 8, 255l << 16, 255l << 24, 255l << 32, 255l << 40, 255l << 48, -1l << 56};
        return __builtin_convertvector((all & bytes) != 0, V);
    }
#endif
    V value;
    if constexpr (lanes_of<V> == 2) {
        value[0] = -int(from[0] != 0), value[1] = -int(from[1] != 0);
    } else {
        using B = typename std::conditional<lanes_of<V> == LANES, Bytes, PackedBytes>::type;
        value = __builtin_convertvector(load<B>(from) != 0, V);
    }
    return value;
}
template <class V> inline V load_mask(const char* from, int64_t lanes)
{
    V value;
    for (int lane = 0; lane < lanes_of<V>; lane++) value[lane] = -lane_of<V>(from[lane < lanes ? lane : 0] != 0);
    return value;
}

template <class V> inline void store_mask(char* to, const V& value, All)
{
    if constexpr (lanes_of<V> == 2) {
        to[0] = value[0] & 1, to[1] = value[1] & 1;
    } else {
        using B = typename std::conditional<lanes_of<V> == LANES, Bytes, PackedBytes>::type;
        store(to, __builtin_convertvector(value, B) & 1, All{});
    }
}
template <class V> inline void store_mask(char* to, const V& value, int64_t lanes)
{
    for (int lane = 0; lane < lanes; lane++) to[lane] = value[lane] & 1;
}

// Values at listed places.
template <class V, class T, class I, class Lanes> inline V gather(const T* from, const I* places, Lanes lanes)
{
    V value;
    for (int lane = 0; lane < lanes_of<V>; lane++) value[lane] = from[places[lane < lanes_in_use<V>(lanes) ? lane : 0]];
    return value;
}

template <class V, class T, class I, class Lanes>
inline void scatter(T* to, const I* places, const V& value, Lanes lanes)
{
    for (int lane = 0; lane < lanes_in_use<V>(lanes); lane++) to[places[lane]] = value[lane];
}

template <class T, class I, class Lanes> inline void ask_for_listed(const T* from, const I* places, Lanes lanes)
{
    for (int lane = 0; lane < lanes_in_use<Longs>(lanes); lane++) __builtin_prefetch(from + places[lane]);
}

template <class V, class I, class Lanes> inline V gather_mask(const char* from, const I* places, Lanes lanes)
{
    return V(gather<V>(from, places, lanes) != 0);
}

template <class V, class I, class Lanes>
inline void scatter_mask(char* to, const I* places, const V& value, Lanes lanes)
{
    scatter(to, places, V(value & 1), lanes);
}

template <class V, class F> inline V each(V x, F function)
{
    for (int lane = 0; lane < lanes_of<V>; lane++) x[lane] = function(x[lane]);
    return x;
}

template <class V, class F> inline V each(V x, V y, F function)
{
    for (int lane = 0; lane < lanes_of<V>; lane++) x[lane] = function(x[lane], y[lane]);
    return x;
}

template <int N, class V> inline V power(V x)
{
    if (N == 2) return x * x;
    if (N == 3) return x * x * x;
    return (x * x) * (x * x);
}

inline Doubles absolute(Doubles x) { return from_bits(bits(x) & 0x7fffffffffffffff); }
inline Floats absolute(Floats x) { return reinterpret_cast<Floats>(reinterpret_cast<Ints>(x) & 0x7fffffff); }
inline PackedFloats absolute(PackedFloats x)
{
    return reinterpret_cast<PackedFloats>(reinterpret_cast<PackedInts>(x) & 0x7fffffff);
}

// The least time from which on `steps_of` is at least `steps`: it never falls as the time grows.
template <class Steps> inline double least_time(Steps steps_of, int64_t steps, double dt)
{
    double time = (double(steps > 0 ? steps : steps - 1) - 1e-3) * dt;
    for (int i = 0; i < 100 && steps_of(time) < steps; i++) time = std::nextafter(time, INFINITY);
    for (int i = 0; i < 100; i++) {
        const double before = std::nextafter(time, -INFINITY);
        if (steps_of(before) < steps) return time;
        time = before;
    }
    return -INFINITY;  // a number of steps that is none
}

// The body of a loop, for all full vectors (from a place on) and then for the elements that are left.
template <int STEP = LANES, class Body> inline void in_vectors(int64_t from, int64_t to, Body body)
{
    int64_t i = from;
    for (; i + STEP <= to; i += STEP) body(i, All{});
    if (i < to) body(i, to - i);
}

template <int STEP = LANES, class Body> inline void in_vectors(int64_t size, Body body)
{
    in_vectors<STEP>(0, size, body);
}

// The same for a body that returns a bit for each lane; `note` gets those of 64 elements, if any is set. Some thousand
// elements are noted together: the processor cannot guess where events are, and would wait for the body at each of them.
template <int STEP, class Body, class Note>
inline void events_in_vectors(int64_t from, int64_t to, Body body, Note note)
{
    enum { TOGETHER = 32 };
    uint64_t found[TOGETHER];
    for (int64_t i = from; i < to;) {
        const int64_t first = i;
        int words = 0;
        for (; i + 64 <= to && words < TOGETHER - 1; i += 64) {
            uint64_t word = 0;
            for (int j = 0; j < 64; j += STEP) word |= body(i + j, All{}) << j;
            found[words++] = word;
        }
        if (i + 64 > to) {
            uint64_t word = 0;
            const int64_t last = i;
            for (; i + STEP <= to; i += STEP) word |= body(i, All{}) << (i - last);
            if (i < to) word |= body(i, to - i) << (i - last);
            found[words++] = word, i = to;
        }
        for (int n = 0; n < words; n++)
            if (found[n]) note(first + 64 * n, found[n]);
    }
}

// The cells that are refractory, in the order of their spikes.
struct Recent {
    int64_t steps;  // that they are refractory
    double dt, least;  // so long, in time
    int64_t entry;     // the call of compiled code in which all cells were looked at
    int64_t sorted, head, count, unused;
    int32_t cells[1];  // a ring, as long as there are cells

    void push(int32_t cell, int64_t size)
    {
        int64_t place = head + count++;
        cells[place < size ? place : place - size] = cell;
    }

    // Shell's sort, by the times of spikes: those of one time step stand in any order.
    void sort(const double* lastspike)
    {
        int64_t gap = 1;
        while (gap < count / 3) gap = 3 * gap + 1;
        for (; gap > 0; gap /= 3)
            for (int64_t i = gap; i < count; i++) {
                const int32_t cell = cells[i];
                int64_t place = i;
                for (; place >= gap && lastspike[cells[place - gap]] > lastspike[cell]; place -= gap)
                    cells[place] = cells[place - gap];
                cells[place] = cell;
            }
        sorted = 1;
    }
};

// Let cells leave the queue that are refractory no more; once in each call of compiled code, look at all of them.
template <class Steps>
inline void release(
    Recent& recent, const double* lastspike, char* not_refractory, int64_t size, double t, double dt, int64_t steps,
    Steps steps_of, int64_t entry)
{
    if (recent.dt != dt || recent.steps != steps || recent.entry == 0) {
        recent.dt = dt, recent.steps = steps, recent.entry = -1;
        recent.least = least_time(steps_of, steps, dt);
    }
    const double least = recent.least;
    if (recent.entry != entry) {
        recent.entry = entry, recent.sorted = recent.head = recent.count = 0;
        events_in_vectors<LANES>(0, size, [&](const int64_t i, auto lanes) {
            const Longs free = (t - load<Doubles>(lastspike + i, lanes)) >= least;
            store_mask(not_refractory + i, free, lanes);
            return lane_bits(Longs(~free), lanes);
        }, [&](const int64_t first, uint64_t found) {
            for (; found; found &= found - 1) recent.push(int32_t(first + __builtin_ctzll(found)), size);
        });
        return;
    }
    if (!recent.sorted) recent.sort(lastspike);
    for (; recent.count; recent.count--) {
        const int32_t cell = recent.cells[recent.head];
        if (!(t - lastspike[cell] >= least)) break;
        not_refractory[cell] = true;
        if (++recent.head == size) recent.head = 0;
    }
}

}  // namespace native
