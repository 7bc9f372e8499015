// FCA with ranks of every position on random maps: each path held to plain loops within rounding,
// and to the others, whatever the number of threads, to the bit.
#include <algorithm>
#include <cmath>

#include "exact_score.h"
#include "paths.h"
#include "plain_exact.h"
#include "random_maps.h"

using linescan::ExactTask;
using linescan::Ties;

namespace checks {
namespace {

enum class Kind { kSmooth, kManyZeros, kFew, kConstant, kBeyond, kTiny, kLast = kTiny };

float draw(Random& random, Kind kind) {
  const float value = std::uniform_real_distribution<float>(0, 1)(random);
  switch (kind) {
    case Kind::kManyZeros:
      return std::max(0.0f, value - 0.7f);
    case Kind::kFew:
      return std::floor(value * 4) / 4;
    case Kind::kConstant:
      return 0.25f;
    case Kind::kBeyond:
      return value * 3 - 1;
    case Kind::kTiny:  // Beside ordinary numbers: no sum of them is exact.
      return std::ldexp(value, static_cast<int>(-pick(random, 0, 1) * pick(random, 0, 140)));
    default:
      return value;
  }
}

std::vector<float> draw_all(Random& random, int64_t count) {
  const auto kind = static_cast<Kind>(pick(random, 0, static_cast<int>(Kind::kLast)));
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = draw(random, kind);
  return values;
}

std::vector<float> draw_reference(Random& random, const ExactTask& task) {
  const int64_t bands = task.band(task.width - 1) + 1;
  std::vector<float> values =
      draw_all(random, bands * task.references * task.channels * task.area());
  if (task.bytes) {
    for (float& value : values) value = static_cast<float>(plain::value_of(task, value));
  }
  for (auto start = values.begin(); start != values.end(); start += task.area()) {
    std::sort(start, start + task.area());
  }
  return values;
}

std::vector<float> draw_weights(Random& random, int count) {
  std::vector<float> weights(static_cast<size_t>(count));
  for (float& weight : weights) weight = std::uniform_real_distribution<float>(0.05f, 1)(random);
  return weights;
}

ExactTask draw_task(Random& random) {
  ExactTask task{};
  task.side = static_cast<int>(1 + 2 * pick(random, 1, 5));
  task.stride = static_cast<int>(pick(random, 1, std::min(4, task.side)));
  task.channels = pick(random, 1, 5);
  task.references = pick(random, 0, 1) * pick(random, 0, 3) + 1;
  // Now and then as small as a window, or narrow and long.
  task.height = task.side + pick(random, 0, 1) * pick(random, 0, 20);
  task.width = task.side + pick(random, 0, 1) * pick(random, 0, 60);
  if (pick(random, 0, 15) == 0) (pick(random, 0, 1) == 0 ? task.height : task.width) = 300;
  task.band_width = pick(random, 0, 1) * pick(random, 1, 12);
  task.first_column = pick(random, 0, 20);
  task.ties = static_cast<Ties>(pick(random, 0, 2));
  task.bytes = pick(random, 0, 1) == 1;
  return task;
}

// The bits of the first path of this CPU hold for the others.
void compare_paths(Random& random, const ExactTask& task, const plain::Between& limits) {
  std::vector<float> first;
  for (const std::string& path : linescan::usable_paths()) {
    std::vector<float> scores(limits.least.size());
    const auto threads = static_cast<int>(pick(random, 1, 3));
    linescan::exact_score(task, path, threads, scores.data());
    if (first.empty()) first = scores;
    const bool close = plain::lies_between(scores, limits);
    if (close && scores == first) continue;
    fail(close ? "exact_score from the first path" : "exact_score", path,
         {task.side, task.stride, task.channels, task.height, task.width, task.references,
          task.band_width, task.first_column, static_cast<int64_t>(task.ties), task.bytes,
          task.blur != nullptr, threads});
  }
}

}  // namespace

void check_exact(Random& random) {
  ExactTask task = draw_task(random);
  const std::vector<float> features = draw_all(random, task.channels * task.height * task.width);
  const std::vector<float> reference = draw_reference(random, task);
  const std::vector<float> taps = draw_weights(random, task.side);
  const std::vector<float> blur = draw_weights(random, linescan::kBlurTaps);
  task.features = features.data();
  task.reference = reference.data();
  task.taps = taps.data();
  task.blur = pick(random, 0, 1) == 1 ? blur.data() : nullptr;
  compare_paths(random, task, plain::scores_of(task));
}

}  // namespace checks
