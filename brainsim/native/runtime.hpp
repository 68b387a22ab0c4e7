// brainsim.native: what every generated library starts with.
//
// The structs below are plain memory shared with Python (brainsim/native/layout.py holds the same layouts);
// everything else is compiled into the one translation unit of a model. Includes are kept few on purpose:
// they are most of what a first compilation takes.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <new>

namespace native {

// An array: memory owned by numpy. `size` counts entries along the first axis, each of `width` values.
struct Slot {
    void* data;
    int64_t size, capacity, width;
};

// A network has its own time even where it shares Brian2's clock with others; `shown` is what Brian2's clock says.
struct Clock {
    int64_t* timestep;
    double* t;
    double* dt;
    int64_t* shown_timestep;
    double* shown_t;
    int64_t end;  // the timestep at which a run ends
    int64_t due;  // whether the clock takes part in the present tick
};

// Carried along with the list of a time step: the cells at the other ends of the synapses of its first `runs` runs.
struct Carried {
    char* cells;  // uint16_t or int32_t, one after another
    int64_t count, room, runs;
};

// Spikes on their way: a ring of lists, one per time step to come. What is listed are runs: the synapses of one source
// that have one delay, which follow one another. (A single synapse at place p is listed as ~p, see structure.py.)
struct Queue {
    int64_t length, offset, first, last;  // sources are numbered first <= source < last
    int32_t** list;
    int64_t* count;
    int64_t* room;
    const int64_t* row;      // the runs of source s are row[s - first] to row[s - first + 1]
    const int64_t* begin;    // the places of run r are begin[r] to begin[r + 1]
    const int32_t* delay;    // of a run, in steps
    const int32_t* synapse;  // the synapse at a place; null if places are synapse numbers
    const void* other;       // the cell at the other end of the synapse at a place: uint16_t or int32_t
    int64_t blocks;          // delivery may go through the cells block by block: block b > 0 starts with cell edge[b],
    const int32_t* edge;     // and in run r at begin[r] + cut[r * (blocks - 1) + b - 1]
    const int32_t* cut;
    int64_t blockwise;       // whether one thread gains from that: the cells of a block stay in the cache
    const int64_t* share;    // the blocks of thread n are share[n] to share[n + 1]
    int64_t low, high;       // cells at the other ends: low <= cell < high; low is a multiple of 64
    int64_t words;           // that a bitmap of these cells takes, a multiple of 8
    const uint64_t* bitmap;  // of run r: bitmap + r * words, see counts.hpp; null: there are none
    Carried* carried;        // one for each time step to come
    int64_t width;           // bytes of each of their cells; 0: nothing is ever carried
    int64_t carrying;        // whether it is now
    int64_t uneven;          // how many of the variables that were equal in all synapses no longer are
};

struct Failure {
    const char* message;
};

struct Random {
    uint64_t key;   // from the seed
    uint64_t step;  // time steps since the seed was set
};

// Which part of a task is to be done: all of it (a count of 1), or that of one of several threads. A count of 0 stands
// for what is done once for a spike, and not for each of its synapses: threads compute it, but one writes it, at the end.
struct Part {
    int64_t number, count;
};

inline int64_t within(int64_t place, int64_t size) { return place < 0 ? 0 : place > size ? size : place; }

// What is left to do when all threads are done with a task.
enum Ending { NOTHING = 0, GATHER = 1, ADVANCE = 2, ONCE = 3 };

struct Task {
    int64_t function;  // into the table of functions; negative: Python does it
    int64_t clock;
    Slot** slots;
    double* reals;
    int64_t* integers;
    Queue* queue;
    double seconds;   // spent, if profiling
    uint64_t stream;  // of random numbers: a hash of the object's name
    int64_t shared;   // whether threads share it
    int64_t joins;    // it may begin when the shared task before it is not yet done
    int64_t ending;
    const int64_t* bounds;  // the cells or synapses of thread n are bounds[n] to bounds[n + 1]
    int64_t* found;         // events of thread n, in the list from bounds[n] on: found[8 * n]
    Slot* events;
};

// The cells or synapses that are to be gone through.
inline int64_t first_of(const Task& task, Part part) { return part.count <= 1 ? 0 : task.bounds[part.number]; }
inline int64_t last_of(const Task& task, Part part, int64_t size)
{
    return part.count <= 1 ? size : task.bounds[part.number + 1];
}

struct Network {
    int64_t clock_count;
    Clock* clocks;
    int64_t task_count;
    Task* tasks;
    int64_t next;       // the task to go on with; 0 between ticks
    int64_t remaining;  // ticks still to do in this call; negative: no limit
    int64_t stop;       // not 0: end before the next tick
    int64_t endless;    // do not look at the clocks' ends
    int64_t profile;
    int64_t entries;  // how often Python called compiled code
    int64_t threads;
    void* pool;    // the threads, once they are there
    Random* random;
    void (*grow)(Slot*, int64_t);  // make room in a slot, if possible
    char message[256];
};

enum Status { PAUSED = 0, FINISHED = 1, STOPPED = 2, PYTHON = 3, FAILED = 4 };

// Room for `count` more entries at the end of a slot; returns the place of the first.
template <class T> inline T* append(Network& network, Slot& slot, int64_t count)
{
    const int64_t size = slot.size + count;
    if (size > slot.capacity) {
        network.grow(&slot, size);
        if (size > slot.capacity) throw Failure{"no memory for recorded values"};
    }
    T* place = static_cast<T*>(slot.data) + slot.size * slot.width;
    slot.size = size;
    return place;
}

inline int32_t* append(Queue& queue, int64_t step, int64_t count)
{
    const int64_t size = queue.count[step] + count;
    if (size > queue.room[step]) {
        int64_t room = 2 * queue.room[step];
        if (room < size) room = size;
        if (room < 16) room = 16;
        void* memory = std::realloc(queue.list[step], size_t(room) * sizeof(int32_t));
        if (memory == nullptr) throw Failure{"no memory for spikes in flight"};
        queue.list[step] = static_cast<int32_t*>(memory);
        queue.room[step] = room;
    }
    int32_t* place = queue.list[step] + queue.count[step];
    queue.count[step] = size;
    return place;
}

// Ask for what will be read (its first 4 KiB: the processor sees the rest coming).
template <class T> inline void ask_for(const T* first, const T* last)
{
    const char* from = reinterpret_cast<const char*>(first);
    const char* to = reinterpret_cast<const char*>(last);
    if (to > from + 4096) to = from + 4096;
    for (from -= uintptr_t(from) % 64; from < to; from += 64) __builtin_prefetch(from);
}

// Copy the cells that a run reaches to where those of the runs before it are.
template <class T> inline void carry(const Queue& queue, Carried& carried, int64_t run, int64_t places)
{
    enum { few = 128 / sizeof(T) };
    const int64_t begin = queue.begin[run], size = queue.begin[run + 1] - begin;
    if (carried.count + size + few > carried.room) {
        const int64_t room = 2 * carried.room + size + few;
        void* memory = std::realloc(carried.cells, size_t(room) * sizeof(T));
        if (memory == nullptr) throw Failure{"no memory for spikes in flight"};
        carried.cells = static_cast<char*>(memory), carried.room = room;
    }
    T* const to = reinterpret_cast<T*>(carried.cells) + carried.count;
    const T* const from = static_cast<const T*>(queue.other) + begin;
    if (size <= few && begin + few <= places)
        std::memcpy(to, from, 128);  // some too many: a fixed number needs no call and no loop
    else
        std::memcpy(to, from, size_t(size) * sizeof(T));
    __builtin_prefetch(to + size + few / 2, 1), __builtin_prefetch(to + size + few, 1);  // for the next run
    carried.count += size, carried.runs++;
}

template <class T> inline void push_and_carry(Queue& queue, const int32_t* sources, int64_t count)
{
    const int64_t places = queue.begin[queue.row[queue.last - queue.first]];
    const T* const cells = static_cast<const T*>(queue.other);
    const auto row = [&](int64_t i) -> const int64_t* {  // of the source to come, if any
        const bool some = i < count && sources[i] >= queue.first && sources[i] < queue.last;
        return some ? queue.row + (sources[i] - queue.first) : nullptr;
    };
    for (int64_t i = 0; i < count; i++) {
        // Each of these is another place in memory.
        if (const int64_t* far = row(i + 6)) __builtin_prefetch(far), __builtin_prefetch(far + 1);
        if (const int64_t* later = row(i + 3)) {
            ask_for(queue.delay + later[0], queue.delay + later[1]);
            ask_for(queue.begin + later[0], queue.begin + later[1] + 1);
        }
        if (const int64_t* next = row(i + 1)) ask_for(cells + queue.begin[next[0]], cells + queue.begin[next[1]]);
        const int64_t* const runs = row(i);
        if (runs == nullptr) continue;
        for (int64_t run = runs[0]; run < runs[1]; run++) {
            int64_t step = queue.offset + queue.delay[run];
            if (step >= queue.length) step -= queue.length;
            Carried& carried = queue.carried[step];
            if (carried.runs == queue.count[step]) carry<T>(queue, carried, run, places);
            *append(queue, step, 1) = int32_t(run);
        }
    }
}

inline void push(Queue& queue, const int32_t* sources, int64_t count)
{
    if (queue.carrying) {
        if (queue.width == 2) return push_and_carry<uint16_t>(queue, sources, count);
        return push_and_carry<int32_t>(queue, sources, count);
    }
    // What was listed last: as a rule, the next run goes to the same list.
    int64_t step = -1, size = 0, room = 0;
    int32_t delay = -1, *list = nullptr;
    for (int64_t i = 0; i < count; i++) {
        const int64_t source = sources[i];
        if (source < queue.first || source >= queue.last) continue;
        const int64_t end = queue.row[source - queue.first + 1];
        for (int64_t run = queue.row[source - queue.first]; run < end; run++) {
            if (queue.delay[run] != delay || size == room) {
                if (step >= 0) queue.count[step] = size;
                delay = queue.delay[run];
                step = queue.offset + delay;
                if (step >= queue.length) step -= queue.length;
                append(queue, step, 1);
                list = queue.list[step], room = queue.room[step], size = queue.count[step] - 1;
            }
            list[size++] = int32_t(run);
        }
    }
    if (step >= 0) queue.count[step] = size;
}

// Room for some values that are soon forgotten.
template <class T> struct Scratch {
    T* values = nullptr;
    int64_t room = 0;

    ~Scratch() { std::free(values); }
    T* room_for(int64_t count)
    {
        if (count > room) {
            void* more = std::realloc(values, size_t(count) * sizeof(T));
            if (more == nullptr) throw Failure{"no memory for intermediate values"};
            values = static_cast<T*>(more), room = count;
        }
        return values;
    }
};

// The synapses that spikes reach now, run by run.
struct Arrivals {
    const Queue& queue;
    const int32_t* list;
    int64_t count;
    const int64_t* places;
    int64_t ahead;  // how many runs ahead delivery asks for what it will read

    explicit Arrivals(const Queue& queue)
        : queue(queue), list(queue.list[queue.offset]), count(queue.count[queue.offset]), places(nullptr), ahead(0)
    {
    }

    // Whether all of their cells were carried along.
    bool carried() const { return count > 0 && queue.carried[queue.offset].runs == count; }

    // Find out which synapses they are, unless that has been done.
    void look_up()
    {
        if (places != nullptr) return;
        // Where runs are is looked up for all at once: each of these is another place in memory.
        static thread_local Scratch<int64_t> scratch;
        int64_t* const ends = scratch.room_for(2 * count);
        for (int64_t i = 0; i < count; i++) {
            const bool single = list[i] < 0;
            ends[2 * i] = single ? ~list[i] : queue.begin[list[i]];
            ends[2 * i + 1] = single ? ~list[i] + 1 : queue.begin[list[i] + 1];
        }
        places = ends;
        const int64_t enough = count > 0 ? 800 * count / (synapses() + 1) : 0;
        ahead = enough < 2 ? 2 : enough > 16 ? 16 : enough;
    }
    int64_t begin(int64_t i) const { return places[2 * i]; }
    int64_t end(int64_t i) const { return places[2 * i + 1]; }

    enum { all = -1 };

    // The part of run `i` that goes to one block of cells.
    template <class T> void part(const T* others, int64_t i, int64_t block, int64_t& from, int64_t& to) const
    {
        from = begin(i), to = end(i);
        if (queue.blocks == 1 || block == all) return;
        if (list[i] < 0) {
            const int64_t cell = others[from];
            if (cell < queue.edge[block] || cell >= queue.edge[block + 1]) to = from;
            return;
        }
        const int32_t* const cut = queue.cut + list[i] * (queue.blocks - 1);
        if (block + 1 < queue.blocks) to = from + cut[block];
        if (block > 0) from += cut[block - 1];
    }

    // Ask for what run `i` will read of `values` (its first 4 KiB: the processor sees the rest coming).
    template <class T, class V> void prefetch(const T* others, const V* values, int64_t i, int64_t block) const
    {
        if (i >= count) return;
        int64_t first, last;
        part(others, i, block, first, last);
        ask_for(values + first, values + last);
    }

    // Whether only whole runs arrive.
    bool whole() const
    {
        for (int64_t i = 0; i < count; i++)
            if (list[i] < 0) return false;
        return true;
    }

    // Whether each run comes once, in the order of their numbers.
    bool ascending() const
    {
        for (int64_t i = 1; i < count; i++)
            if (list[i] <= list[i - 1]) return false;
        return true;
    }

    // Ask for values of the first synapses of run `i`, where these are listed.
    template <class T> void prefetch_listed(const T* array, const int32_t* synapse, int64_t i) const
    {
        if (i >= count) return;
        const int64_t from = begin(i), to = end(i) > from + 64 ? from + 64 : end(i);
        for (int64_t place = from; place < to; place++) __builtin_prefetch(array + synapse[place]);
    }

    int64_t synapses() const
    {
        if (places == nullptr) return queue.carried[queue.offset].count;
        int64_t sum = 0;
        for (int64_t i = 0; i < count; i++) sum += end(i) - begin(i);
        return sum;
    }
};

// The values of the cells whose guard is false, to be put back.
template <class T> struct Held {
    int64_t count = 0, room = 0;
    T* values = nullptr;
    int32_t* cells = nullptr;

    ~Held()
    {
        std::free(values);
        std::free(cells);
    }

    void keep(const T* array, const char* guard, int64_t from, int64_t to)
    {
        const int64_t size = to - from;
        if (room < size) {
            T* more = static_cast<T*>(std::realloc(values, size_t(size) * sizeof(T)));
            if (more != nullptr) values = more;
            int32_t* numbers = static_cast<int32_t*>(std::realloc(cells, size_t(size) * sizeof(int32_t)));
            if (numbers != nullptr) cells = numbers;
            if (more == nullptr || numbers == nullptr) throw Failure{"no memory for refractory cells"};
            room = size;
        }
        count = 0;
        int64_t i = from;
        for (; i + 8 <= to; i += 8) {
            uint64_t word;
            std::memcpy(&word, guard + i, 8);
            if (word == 0x0101010101010101u) continue;
            for (int64_t j = i; j < i + 8; j++) hold(array, guard, j);
        }
        for (; i < to; i++) hold(array, guard, i);
    }

    void hold(const T* array, const char* guard, int64_t i)
    {
        cells[count] = int32_t(i), values[count] = array[i];
        count += !guard[i];
    }

    void restore(T* array) const
    {
        for (int64_t i = 0; i < count; i++) array[cells[i]] = values[i];
    }
};

inline void advance(Queue& queue)
{
    queue.count[queue.offset] = queue.carried[queue.offset].count = queue.carried[queue.offset].runs = 0;
    queue.offset = queue.offset + 1 == queue.length ? 0 : queue.offset + 1;
}

// The part of a sorted list of events that belongs to a (sub)group.
inline void slice(const int32_t* events, int64_t count, int64_t start, int64_t stop, int64_t& begin, int64_t& end)
{
    begin = 0;
    while (begin < count && events[begin] < start) begin++;
    end = count;
    while (end > begin && events[end - 1] >= stop) end--;
}

inline double now()
{
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

// The blocks of cells that delivery goes through: those of this thread, or all cells at once.
struct Blocks {
    int64_t first = Arrivals::all, last = Arrivals::all + 1;

    Blocks(const Queue& queue, Part part, bool blockwise)
    {
        if (part.count > 1)
            first = queue.share[part.number], last = queue.share[part.number + 1];
        else if (part.count == 1 && blockwise && queue.blockwise)
            first = 0, last = queue.blocks;
    }
};

// The events that threads have listed, each from its first cell on, as one list in the order of the cells.
inline void gather(Task& task, int64_t threads)
{
    int32_t* const events = static_cast<int32_t*>(task.events->data);
    int64_t count = task.found[0];
    for (int64_t i = 1; i < threads; i++) {
        if (task.found[8 * i] > 0)
            std::memmove(events + count, events + task.bounds[i], size_t(task.found[8 * i]) * sizeof(int32_t));
        count += task.found[8 * i];
    }
    events[task.events->size - 1] = int32_t(count);
}

typedef void (*Function)(Task&, Network&, Part);

}  // namespace native

using native::Network;
using native::Part;
using native::Queue;
using native::Slot;
using native::Task;

// Functions that Brian2 expects to find.
template <class T> inline int int_(T value) { return static_cast<int>(value); }
