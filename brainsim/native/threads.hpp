// brainsim.native: threads that share the tasks of a time step.
//
// The thread that called does everything that is not shared, and hands out one stage at a time: some tasks of which
// each thread does its own cells or synapses, without waiting in between. Whoever waits looks at one word in memory,
// gives way after a while, and sleeps when there is nothing to do for long.
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <csignal>

namespace native {

// A stage is divided into as many parts as there are threads. Each thread begins with its own part and then takes what
// nobody has begun, so that a thread that the machine has no time for keeps nobody waiting.
struct Pool {
    static constexpr int64_t most = 64;
    static constexpr int64_t spins = 2000;    // looks at a word before a thread gives way to others
    static constexpr double patience = 5e-4;  // seconds before it sleeps

    Network& network;
    void (*work)(Network&, int64_t& task, int64_t last, Part);  // counts tasks up
    const int64_t count;  // of threads, with the one that calls
    const pid_t process;
    int64_t first = 0, last = 0;      // the tasks of the stage
    alignas(64) uint64_t round = 0;   // the number of the stage
    alignas(64) int64_t left = 0;     // parts of it that are not done
    alignas(64) int64_t asleep = 0;
    bool over = false;
    char message[256] = "";  // of what failed first
    int64_t failed = 0;      // the number of that task
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
    int64_t started = 0;
    pthread_t threads[most];
    struct alignas(64) Member {
        Pool* pool;
        int64_t number;
        uint64_t begun;  // the last stage of which somebody has begun this part
    } members[most];

    Pool(Network& network, void (*work)(Network&, int64_t&, int64_t, Part))
        : network(network), work(work), count(network.threads), process(getpid())
    {
        // Signals are for the thread that called.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        for (int64_t i = 0; i < count; i++) members[i] = {this, i, 0};
        for (int64_t i = 1; i < count; i++) {
            if (pthread_create(&threads[i], nullptr, &Pool::live, &members[i]) != 0) break;
            started++;
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    ~Pool()
    {
        __atomic_store_n(&over, true, __ATOMIC_SEQ_CST);
        pthread_mutex_lock(&mutex);
        pthread_cond_broadcast(&wake);
        pthread_mutex_unlock(&mutex);
        for (int64_t i = 1; i <= started; i++) pthread_join(threads[i], nullptr);
    }

    // Have some tasks done by all threads.
    void share(int64_t from, int64_t to)
    {
        first = from, last = to;
        __atomic_store_n(&left, count, __ATOMIC_RELAXED);
        const uint64_t stage = __atomic_add_fetch(&round, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&asleep, __ATOMIC_SEQ_CST) != 0) {
            pthread_mutex_lock(&mutex);
            pthread_cond_broadcast(&wake);
            pthread_mutex_unlock(&mutex);
        }
        take_parts(0, stage);
        for (int64_t i = 0; __atomic_load_n(&left, __ATOMIC_ACQUIRE) != 0; i++) rest(i);
        if (message[0]) {
            std::memcpy(network.message, message, sizeof message);
            message[0] = 0, network.next = failed;
            throw Failure{nullptr};
        }
    }

private:
    static void rest(int64_t looks)
    {
        if (looks >= spins) {
            sched_yield();
            return;
        }
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        asm volatile("yield");
#endif
    }

    void take_parts(int64_t own, uint64_t stage)
    {
        for (int64_t i = 0; i < count; i++) {
            const int64_t number = (own + i) % count;
            uint64_t before = __atomic_load_n(&members[number].begun, __ATOMIC_ACQUIRE);
            if (before >= stage) continue;
            if (!__atomic_compare_exchange_n(
                    &members[number].begun, &before, stage, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
                continue;
            // From here on the stage cannot end without us.
            attempt(number);
            __atomic_sub_fetch(&left, 1, __ATOMIC_ACQ_REL);
        }
    }

    void attempt(int64_t number)
    {
        int64_t task = first;
        try {
            work(network, task, last, Part{number, count});
        } catch (const Failure& failure) {
            note(task, failure.message);
        } catch (const std::exception& error) {
            note(task, error.what());
        } catch (...) {
            note(task, "an exception of an unknown type");
        }
    }

    void note(int64_t task, const char* text)
    {
        pthread_mutex_lock(&mutex);
        if (!message[0] || task < failed) {
            std::strncpy(message, text, sizeof message - 1);
            failed = task;
        }
        pthread_mutex_unlock(&mutex);
    }

    // Wait for a stage that comes after one; 0 if there will be none.
    uint64_t after(uint64_t stage)
    {
        double since = 0;
        for (int64_t i = 0;; i++) {
            const uint64_t next = __atomic_load_n(&round, __ATOMIC_ACQUIRE);
            if (__atomic_load_n(&over, __ATOMIC_RELAXED)) return 0;
            if (next != stage) return next;
            rest(i);
            if (i < spins || i % 16) continue;
            const double time = now();
            if (since == 0) since = time;
            if (time - since < patience) continue;
            pthread_mutex_lock(&mutex);
            __atomic_add_fetch(&asleep, 1, __ATOMIC_SEQ_CST);
            while (__atomic_load_n(&round, __ATOMIC_SEQ_CST) == stage && !__atomic_load_n(&over, __ATOMIC_SEQ_CST))
                pthread_cond_wait(&wake, &mutex);
            __atomic_sub_fetch(&asleep, 1, __ATOMIC_SEQ_CST);
            pthread_mutex_unlock(&mutex);
            i = 0, since = 0;
        }
    }

    static void* live(void* member)
    {
        Pool& pool = *static_cast<Member*>(member)->pool;
        const int64_t number = static_cast<Member*>(member)->number;
        for (uint64_t stage = 0; (stage = pool.after(stage)) != 0;) pool.take_parts(number, stage);
        return nullptr;
    }
};

}  // namespace native
