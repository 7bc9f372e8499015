// One call of a scoring kernel on random maps, named on a command line; measures nothing.
#pragma once

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "exact_score.h"
#include "fast_score.h"

namespace linescan {

// KERNEL (u8, exact or fast), RULE (first, mid or mean; of fast the number of levels), window
// stride, path, channels, height and width, from the command line.
class KernelCase {
 public:
  static constexpr int kArguments = 7;

  explicit KernelCase(char** words)
      : kernel_(words[0]),
        rule_(words[1]),
        stride_(std::stoi(words[2])),
        path_(words[3]),
        channels_(std::stoll(words[4])),
        height_(std::stoll(words[5])),
        width_(std::stoll(words[6])) {
    if (kernel_ != "u8" && kernel_ != "exact" && kernel_ != "fast") {
      throw std::invalid_argument("KERNEL must be u8, exact or fast, got " + kernel_);
    }
    if (kernel_ != "fast" && rule_ != "first" && rule_ != "mid" && rule_ != "mean") {
      throw std::invalid_argument("RULE must be first, mid or mean, got " + rule_);
    }
    std::mt19937 random(0);
    scores_.resize(static_cast<size_t>(height_ * width_));
    if (kernel_ == "fast") {
      fill(levels_, level_reference_, random, [this](uint32_t value) {
        return static_cast<uint8_t>(value % static_cast<uint32_t>(std::stoi(rule_)));
      });
    } else {
      const float most = kernel_ == "u8" ? 255.0f : 1.0f;  // The reference is in steps of 1 / 255.
      fill(features_, reference_, random,
           [](uint32_t value) { return static_cast<float>(value >> 8) * 0x1p-24f; });
      for (float& value : reference_) value = static_cast<float>(static_cast<double>(value) * most);
      if (kernel_ == "u8") {
        for (float& value : reference_) value = static_cast<float>(static_cast<int>(value + 0.5f));
      }
    }
  }

  int64_t features() const { return channels_ * height_ * width_; }

  void run() {
    if (kernel_ == "fast") {
      const FastTask task{levels_.data(),
                          level_reference_.data(),
                          channels_,
                          height_,
                          width_,
                          0,
                          0,
                          std::stoi(rule_),
                          kSide,
                          stride_};
      fast_score(task, path_, 1, scores_.data());
    } else {
      const Ties ties = rule_ == "first" ? Ties::kFirst : rule_ == "mid" ? Ties::kMid : Ties::kMean;
      const ExactTask task{features_.data(),
                           reference_.data(),
                           kTaps,
                           kBlur,
                           channels_,
                           height_,
                           width_,
                           1,
                           0,
                           0,
                           kSide,
                           stride_,
                           ties,
                           kernel_ == "u8"};
      exact_score(task, path_, 1, scores_.data());
    }
  }

 private:
  static constexpr int kSide = 9;
  static constexpr float kTaps[kSide] = {1, 2, 3, 4, 5, 4, 3, 2, 1};
  static constexpr float kBlur[kBlurTaps] = {0.05f, 0.25f, 0.4f, 0.25f, 0.05f};

  template <class Value, class Make>
  void fill(std::vector<Value>& map, std::vector<Value>& reference, std::mt19937& random,
            const Make& make) const {
    map.resize(static_cast<size_t>(features()));
    reference.resize(static_cast<size_t>(channels_ * kSide * kSide));
    for (Value& value : map) value = make(static_cast<uint32_t>(random()));
    for (Value& value : reference) value = make(static_cast<uint32_t>(random()));
    for (auto start = reference.begin(); start != reference.end(); start += kSide * kSide) {
      std::sort(start, start + kSide * kSide);
    }
  }

  std::string kernel_;
  std::string rule_;
  int stride_;
  std::string path_;
  int64_t channels_;
  int64_t height_;
  int64_t width_;
  std::vector<float> features_;
  std::vector<float> reference_;
  std::vector<uint8_t> levels_;
  std::vector<uint8_t> level_reference_;
  std::vector<float> scores_;
};

}  // namespace linescan
