// SPDX-License-Identifier: MIT
// A C++ program: exceptions through frames, across threads and out of a signal's way, threads, locks, streams, thread-local objects.
#include <atomic>
#include <condition_variable>
#include <csetjmp>
#include <csignal>
#include <exception>
#include <fstream>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

struct Guard {
    const char *name;
    ~Guard() { std::cout << "unwound " << name << std::endl; }
};

static int deep(int n)
{
    Guard guard{n == 3 ? "bottom" : "frame"};
    if (n == 3) {
        throw std::runtime_error("thrown at " + std::to_string(n));
    }
    return deep(n + 1) + 1;
}

static thread_local std::string own = "new";
static std::once_flag once;

static void exceptions()
{
    try {
        deep(0);
    } catch (const std::exception &e) {
        std::cout << "caught " << e.what() << std::endl;
    }
    std::exception_ptr carried;
    std::thread([&] {
        try {
            std::vector<int>().at(5);
        } catch (...) {
            carried = std::current_exception();
        }
    }).join();
    try {
        std::rethrow_exception(carried);
    } catch (const std::out_of_range &) {
        std::cout << "carried over" << std::endl;
    }
    try {
        (void)new char[1UL << 60];
    } catch (const std::bad_alloc &) {
        std::cout << "no memory" << std::endl;
    }
}

static void threads()
{
    std::mutex mutex;
    std::condition_variable changed;
    std::shared_mutex shared;
    std::map<int, int> counts;
    std::atomic<int> sum{0}, firsts{0};
    std::vector<std::thread> all;
    int turn = 0;
    for (int i = 0; i < 16; i++) {
        all.emplace_back([&, i] {
            std::call_once(once, [&] { firsts++; });
            own += std::to_string(i);
            for (int n = 0; n < 200; n++) {
                std::shared_lock reading(shared);
                sum += n;
            }
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return turn == i; });
            counts[i] = own.size();
            turn++;
            changed.notify_all();
        });
    }
    for (auto &thread : all) {
        thread.join();
    }
    std::cout << sum << ' ' << firsts << ' ' << counts.size() << ' ' << counts[15] << ' ' << own << std::endl;

    auto late = std::async(std::launch::async, []() -> int { throw std::logic_error("from a future"); });
    try {
        late.get();
    } catch (const std::logic_error &e) {
        std::cout << e.what() << std::endl;
    }
}

static void thrown_from_a_fault(int)
{
    throw std::runtime_error("from a fault");
}

int main(int argc, char **argv)
{
    exceptions();
    threads();
    std::signal(SIGSEGV, thrown_from_a_fault);
    try {
        *(volatile int *)8 = 1;
    } catch (const std::runtime_error &e) {
        std::cout << e.what() << std::endl;
    }
    std::ofstream(std::string(argv[1]) + "/file") << "written " << 6 * 7 << std::endl;
    std::string word;
    std::ifstream(std::string(argv[1]) + "/file") >> word;
    std::cout << word << std::endl;
    std::set_terminate([] {
        std::cout << "terminated" << std::endl;
        std::abort();
    });
    throw 1;
}
