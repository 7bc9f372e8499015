// FCA with ranks of every position under the fuzzer; see fuzz_kernels.cpp.
#include <cmath>

#include "exact_score.h"
#include "fuzz_input.h"
#include "plain_exact.h"

using linescan::ExactTask;
using linescan::Ties;

namespace fuzz {
namespace {

constexpr int64_t kLargestMap = std::numeric_limits<int32_t>::max();

// The shapes of the arrays and that the features are finite are the caller's to check.
bool holds(const ExactTask& task, int threads) {
  return task.side % 2 == 1 && task.side >= 3 && task.side <= 11 && task.stride >= 1 &&
         task.stride <= std::min(4, task.side) && task.channels >= 1 && task.channels <= 65'000 &&
         task.references >= 1 && task.height >= task.side && task.width >= task.side &&
         task.height <= kLargestMap / task.width && task.band_width >= 0 &&
         task.first_column >= 0 && task.first_column <= int64_t{1} << 53 && threads >= 1;
}

ExactTask exact_task(Input& input) {
  ExactTask task{};
  task.side = side_of(input);
  task.stride = small(any_near(input, 1, 4));
  const int64_t least = std::min(11, std::max(0, task.side));
  task.channels = near(input, 1, 3);
  task.references = near(input, 1, 3);
  task.height = near(input, least, least + 12);
  task.width = near(input, least, least + 40);
  task.band_width = input.ConsumeBool() ? any_near(input, 1, 12) : 0;
  task.first_column = any_near(input, 0, 20);
  task.ties = static_cast<Ties>(input.ConsumeIntegralInRange(0, 2));
  task.bytes = input.ConsumeBool();
  return task;
}

// Few values or many, some below 0, above 1 or so small that sums round them off.
std::vector<float> numbers(Input& input, int64_t count) {
  const int steps = input.ConsumeIntegralInRange(1, 256);
  const bool tiny = input.ConsumeBool();
  std::vector<float> values;
  for (const uint8_t byte : content(input, count, steps)) {
    const float value = static_cast<float>(byte - 20) / 200;
    values.push_back(tiny && byte % 3 == 0 ? std::ldexp(value, -4 * (byte % 40)) : value);
  }
  return values;
}

// Ascending, and bytes where the task works on such.
std::vector<float> reference_of(Input& input, const ExactTask& task, int64_t bands) {
  const int64_t area = area_of(task.side);
  std::vector<float> values =
      numbers(input, std::max<int64_t>(0, bands * task.references * task.channels) * area);
  if (task.bytes) {
    for (float& value : values) value = static_cast<float>(plain::value_of(task, value));
  }
  for (auto at = values.begin(); at != values.end(); at += area) std::sort(at, at + area);
  return values;
}

std::vector<float> weights(Input& input, int64_t count) {
  std::vector<float> values;
  for (const uint8_t byte : content(input, count, 256)) {
    values.push_back(static_cast<float>(byte + 1) / 256);
  }
  return values;
}

}  // namespace

void fuzz_exact(Input& input) {
  ExactTask task = exact_task(input);
  const std::string path = path_of(input);
  const int threads = small(any_near(input, 1, 3));
  const bool held = holds(task, threads) && is_usable(path);
  const int64_t bands = held ? plain::band_of(task, task.width - 1) + 1 : 1;
  if (bands > kMostBands) return;  // The caller's array is checked before the kernel is asked.
  const bool blurs = input.ConsumeBool();
  const std::vector<float> taps = weights(input, std::min(100, task.side));
  const std::vector<float> blur = weights(input, linescan::kBlurTaps);
  const std::vector<float> reference = reference_of(input, task, bands);
  const int64_t size = std::max<int64_t>(0, task.height) * std::max<int64_t>(0, task.width);
  const std::vector<float> features = numbers(input, task.channels * size);
  std::vector<float> scores(static_cast<size_t>(size));
  task.features = features.data();
  task.reference = reference.data();
  task.taps = taps.data();
  task.blur = blurs ? blur.data() : nullptr;
  const bool refused = refuses([&] { linescan::exact_score(task, path, threads, scores.data()); });
  expect(refused != held, held ? "exact_score refuses a good task" : "exact_score takes a bad task",
         path);
  if (!held) return;
  expect(plain::lies_between(scores, plain::scores_of(task)),
         "exact_score differs from the plain loops", path);
  const std::string other = linescan::usable_paths().front();
  std::vector<float> same(scores.size());
  linescan::exact_score(task, other, 1, same.data());
  expect(scores == same, "exact_score has other bits than on the first path", path);
}

}  // namespace fuzz
