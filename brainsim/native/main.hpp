// brainsim.native: the run loop, after the functions of the model.

// Mark the clocks that take part in the next tick; returns the earliest one.
static native::Clock& mark_due(Network& network)
{
    native::Clock* first = network.clocks;
    for (int64_t i = 1; i < network.clock_count; i++)
        if (*network.clocks[i].t < *first->t) first = network.clocks + i;
    for (int64_t i = 0; i < network.clock_count; i++) {
        native::Clock& clock = network.clocks[i];
        const double distance = std::fabs(*clock.t - *first->t);
        clock.due = distance == 0 || distance / std::fmin(*clock.dt, *first->dt) < 1e-4;
    }
    return *first;
}

static void tick(Network& network)
{
    for (int64_t i = 0; i < network.clock_count; i++) {
        native::Clock& clock = network.clocks[i];
        if (!clock.due) continue;
        *clock.timestep += 1;
        *clock.t = double(*clock.timestep) * *clock.dt;
    }
}

// Whoever called does all of a task.
static void perform(Network& network, Task& task)
{
    functions[task.function](task, network, Part{0, 1});
}

// A thread does its part of the tasks of a stage.
static void take_part(Network& network, int64_t& number, int64_t last, Part part)
{
    for (; number < last; number++) {
        Task& task = network.tasks[number];
        if (network.clocks[task.clock].due) functions[task.function](task, network, part);
    }
}

// Do the shared task number network.next, and those that may be done along with it, with all threads. Also where that
// takes longer than it saves: what one thread did for all would take the values of cells out of the others' caches.
static void do_stage(Network& network)
{
    const int64_t first = network.next;
    int64_t last = first;
    bool any = false;  // something to do: not where no spikes arrive
    do {
        const Task& task = network.tasks[last++];
        if (!network.clocks[task.clock].due) continue;
        any |= task.ending < native::ADVANCE || task.queue->count[task.queue->offset] != 0;
    } while (last < network.task_count && network.tasks[last].joins && !network.profile);
    const bool alone = network.pool == nullptr || !any;
    const double start = network.profile ? native::now() : 0;
    if (alone) {
        for (; network.next < last; network.next++)
            if (network.clocks[network.tasks[network.next].clock].due) perform(network, network.tasks[network.next]);
    } else {
        static_cast<native::Pool*>(network.pool)->share(first, last);
        for (int64_t i = first; i < last; i++) {
            Task& task = network.tasks[i];
            if (!network.clocks[task.clock].due) continue;
            if (task.ending == native::GATHER) native::gather(task, network.threads);
            if (task.ending == native::ONCE) functions[task.function](task, network, Part{0, 0});
            if (task.ending >= native::ADVANCE) native::advance(*task.queue);
        }
    }
    network.next = last - 1;
    if (network.profile) network.tasks[first].seconds += native::now() - start;
}

static int64_t go_on(Network& network, double seconds)
{
    const double deadline = seconds > 0 ? native::now() + seconds : 0;
    bool late = false;
    double looked = seconds > 0 ? deadline - seconds : 0;  // at the clock, which is done after `often` ticks
    int64_t often = 1, ticks = 0;
    for (;;) {
        if (network.next == 0) {
            if (network.stop) return native::STOPPED;
            const native::Clock& first = mark_due(network);
            if (!network.endless && *first.timestep >= first.end) return native::FINISHED;
            if (network.remaining == 0 || late) return native::PAUSED;
        }
        for (; network.next < network.task_count; network.next++) {
            Task& task = network.tasks[network.next];
            if (!network.clocks[task.clock].due) continue;
            if (task.function < 0) return native::PYTHON;
            if (task.shared) {
                do_stage(network);
            } else if (network.profile) {
                const double start = native::now();
                perform(network, task);
                task.seconds += native::now() - start;
            } else {
                perform(network, task);
            }
        }
        tick(network);
        network.random->step++;
        network.next = 0;
        if (network.remaining > 0) network.remaining--;
        if (seconds > 0 && ++ticks >= often) {
            const double time = native::now();
            often = time - looked < 1e-4 ? (often < 64 ? 2 * often : 64) : 1;
            looked = time, ticks = 0;
            late = time >= deadline;
        }
    }
}

// Call something, and turn what it throws into a message.
template <class Work> static int64_t guarded(Network& network, Work work)
{
    const char* message = "an exception of an unknown type";
    try {
        return work();
    } catch (const native::Failure& failure) {
        if (failure.message == nullptr) return native::FAILED;  // the message is there already
        message = failure.message;
    } catch (const std::exception& error) {
        std::strncpy(network.message, error.what(), sizeof network.message - 1);
        return native::FAILED;
    } catch (...) {
    }
    std::strncpy(network.message, message, sizeof network.message - 1);
    return native::FAILED;
}

// Start the threads of a network that has none yet. A process that was forked off has none of its parent's.
static void have_pool(Network& network)
{
    if (network.threads < 2) return;
    native::Pool* pool = static_cast<native::Pool*>(network.pool);
    if (pool != nullptr && pool->process == getpid()) return;
    network.pool = nullptr;
    pool = new (std::nothrow) native::Pool(network, take_part);
    if (pool == nullptr) return;
    if (pool->started == network.threads - 1) {
        network.pool = pool;
    } else {
        delete pool;
        network.threads = 1;  // there are no more threads to be had: one does all
    }
}

// Go on for network->remaining ticks, but not longer than `seconds` (0: as long as it takes). The state is whole
// whenever this returns PAUSED, FINISHED or STOPPED. After PYTHON, run task number network->next, add one to
// `next`, and call again.
extern "C" __attribute__((visibility("default"))) int64_t native_run(Network* network, double seconds)
{
    network->entries++;
    have_pool(*network);
    const int64_t status = guarded(*network, [=] { return go_on(*network, seconds); });
    for (int64_t i = 0; i < network->clock_count; i++) {
        *network->clocks[i].shown_timestep = *network->clocks[i].timestep;
        *network->clocks[i].shown_t = *network->clocks[i].t;
    }
    return status;
}

// One task on its own, outside of any run.
extern "C" __attribute__((visibility("default"))) int64_t native_call(Network* network, int64_t number)
{
    network->entries++;
    Task& task = network->tasks[number];
    return guarded(*network, [=, &task] {
        perform(*network, task);
        network->random->step++;
        return int64_t(native::FINISHED);
    });
}

// Before a network is forgotten: its threads end.
extern "C" __attribute__((visibility("default"))) int64_t native_end(Network* network)
{
    native::Pool* const pool = static_cast<native::Pool*>(network->pool);
    network->pool = nullptr;
    if (pool != nullptr && pool->process == getpid()) delete pool;
    return 0;
}

extern "C" __attribute__((visibility("default"))) int64_t native_layout()
{
    return int64_t(sizeof(Network) * 1000000 + sizeof(Task) * 1000 + sizeof(Queue));
}
