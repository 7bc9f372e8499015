// Scratch memory that outlives a call, so that scoring allocates nothing once it is warm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace linescan {

constexpr std::align_val_t kScratchAlignment{64};

struct AlignedDelete {
  void operator()(uint8_t* memory) const { ::operator delete[](memory, kScratchAlignment); }
};

class Scratch {
 public:
  Scratch() = default;
  Scratch(Scratch&& other) noexcept
      : memory_(std::move(other.memory_)), size_(std::exchange(other.size_, 0)) {}
  Scratch& operator=(Scratch&& other) noexcept {
    memory_ = std::move(other.memory_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  uint8_t* reserve(size_t bytes) {
    if (bytes > size_) {
      memory_.reset();  // Given back first: never two at a time.
      size_ = 0;
      memory_.reset(static_cast<uint8_t*>(::operator new[](bytes, kScratchAlignment)));
      size_ = bytes;
    }
    return memory_.get();
  }

 private:
  std::unique_ptr<uint8_t[], AlignedDelete> memory_;
  size_t size_ = 0;
};

// Lends one piece of scratch memory per working thread; keeps no more than were in use at once, and
// at most kKept.
class ScratchPool {
 public:
  static ScratchPool& shared() {
    static ScratchPool pool;
    return pool;
  }

  Scratch borrow() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (free_.empty()) return Scratch();
    Scratch scratch = std::move(free_.back());
    free_.pop_back();
    return scratch;
  }

  void give_back(Scratch scratch) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (free_.size() < kKept) free_.push_back(std::move(scratch));
  }

 private:
  static constexpr size_t kKept = 64;
  std::mutex mutex_;
  std::vector<Scratch> free_;
};

// Scratch memory for the time of a call.
class Loan {
 public:
  explicit Loan(size_t bytes) : scratch_(ScratchPool::shared().borrow()) {
    memory_ = scratch_.reserve(bytes);
  }
  Loan(Loan&& other) noexcept
      : scratch_(std::move(other.scratch_)), memory_(std::exchange(other.memory_, nullptr)) {}
  Loan& operator=(Loan&&) = delete;
  ~Loan() {
    if (memory_ != nullptr) ScratchPool::shared().give_back(std::move(scratch_));
  }

  uint8_t* get() const { return memory_; }

 private:
  Scratch scratch_;
  uint8_t* memory_ = nullptr;
};

}  // namespace linescan
