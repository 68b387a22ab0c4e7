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

// Spikes on their way: a ring of lists of synapse numbers, one list per time step to come.
struct Queue {
    int64_t length, offset, homogeneous, first, last;  // sources are numbered first <= source < last
    int32_t** list;
    int64_t* count;
    int64_t* room;
    const int64_t* row;      // the synapses of source s are synapse[row[s - first]] to synapse[row[s - first + 1]]
    const int32_t* synapse;  // synapse numbers by source
    const int32_t* delay;    // steps, in the order of `synapse` (one for all if homogeneous)
};

struct Random {
    uint64_t state[4];
    double spare;  // the second of each pair of normal numbers
    uint64_t has_spare;

    uint64_t next()  // xoshiro256++
    {
        const uint64_t a = state[0] + state[3];
        const uint64_t result = ((a << 23) | (a >> 41)) + state[0];
        const uint64_t shifted = state[1] << 17;
        state[2] ^= state[0];
        state[3] ^= state[1];
        state[1] ^= state[2];
        state[0] ^= state[3];
        state[2] ^= shifted;
        state[3] = (state[3] << 45) | (state[3] >> 19);
        return result;
    }

    double uniform() { return double(next() >> 11) * 0x1.0p-53; }

    double normal()
    {
        if (has_spare) {
            has_spare = 0;
            return spare;
        }
        double x, y, square;
        do {
            x = 2 * uniform() - 1;
            y = 2 * uniform() - 1;
            square = x * x + y * y;
        } while (square >= 1 || square == 0);
        const double factor = std::sqrt(-2 * std::log(square) / square);
        spare = y * factor;
        has_spare = 1;
        return x * factor;
    }
};

struct Task {
    int64_t function;  // into the table of functions; negative: Python does it
    int64_t clock;
    Slot** slots;
    double* reals;
    int64_t* integers;
    Queue* queue;
    double seconds;  // spent, if profiling
};

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
    Random* random;
    void (*grow)(Slot*, int64_t);  // make room in a slot, if possible
    char message[256];
};

enum Status { PAUSED = 0, FINISHED = 1, STOPPED = 2, PYTHON = 3, FAILED = 4 };

struct Failure {
    const char* message;
};

// The generator of the network being run in this thread.
static thread_local Random* random_now = nullptr;

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

inline void push(Queue& queue, const int32_t* sources, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const int64_t source = sources[i];
        if (source < queue.first || source >= queue.last) continue;
        const int64_t begin = queue.row[source - queue.first];
        const int64_t end = queue.row[source - queue.first + 1];
        if (begin == end) continue;
        if (queue.homogeneous) {
            const int64_t step = (queue.offset + queue.delay[0]) % queue.length;
            std::memcpy(append(queue, step, end - begin), queue.synapse + begin, size_t(end - begin) * sizeof(int32_t));
        } else {
            for (int64_t k = begin; k < end; k++) {
                int64_t step = queue.offset + queue.delay[k];
                if (step >= queue.length) step -= queue.length;
                *append(queue, step, 1) = queue.synapse[k];
            }
        }
    }
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

typedef void (*Function)(Task&, Network&);

}  // namespace native

using native::Network;
using native::Queue;
using native::Slot;
using native::Task;

// Functions that Brian2 expects to find.
template <class T> inline int int_(T value) { return static_cast<int>(value); }
